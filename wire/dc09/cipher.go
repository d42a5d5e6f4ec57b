package dc09

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
)

const blockSize = aes.BlockSize

// Cipher is an account's key, ready for use by many goroutines: AES in CBC mode
// with a zero vector, as the standard wants. It gives no integrity and never
// prints its key.
type Cipher struct{ block cipher.Block }

// NewCipher takes 16, 24 or 32 bytes (AES-128, AES-192, AES-256).
func NewCipher(key []byte) (*Cipher, error) {
	switch len(key) {
	case 16, 24, 32:
	default:
		return nil, fmt.Errorf("dc09: key of %d bytes, want 16, 24 or 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("dc09: key: %w", err)
	}
	return &Cipher{block: block}, nil
}

// appendDecrypted appends the plaintext of hex text.
func (c *Cipher) appendDecrypted(dst []byte, text string) ([]byte, error) {
	if len(text) == 0 || len(text)%(2*blockSize) != 0 {
		return dst, ErrUndecryptable
	}
	start := len(dst)
	for i := 0; i < len(text); i += 2 {
		hi, lo := unhex(text[i]), unhex(text[i+1])
		if hi > 15 || lo > 15 {
			return dst[:start], ErrUndecryptable
		}
		dst = append(dst, hi<<4|lo)
	}
	// From the last block to the first, so that it can be done in place: the block
	// before is still ciphertext when it is needed.
	p := dst[start:]
	for i := len(p) - blockSize; i >= 0; i -= blockSize {
		b := p[i : i+blockSize]
		c.block.Decrypt(b, b)
		if i > 0 {
			subtle.XORBytes(b, b, p[i-blockSize:i])
		}
	}
	return dst, nil
}

// padLen is the number of pad bytes in front of n bytes: to the next multiple of
// 16, a whole block when n is one already.
func padLen(n int) int { return blockSize - n%blockSize }

// appendPad appends n random bytes, none of which is a bar or a bracket.
func appendPad(dst []byte, n int) []byte {
	var pad [blockSize]byte
	dst = append(dst, pad[:n]...)
	p := dst[len(dst)-n:]
	rand.Read(p)
	for i, b := range p {
		if b == '|' || b == '[' || b == ']' {
			p[i] = b ^ 0x80
		}
	}
	return dst
}

// sealTail encrypts dst[start:] in place and turns it into hex.
func (c *Cipher) sealTail(dst []byte, start int) []byte {
	p := dst[start:]
	for i := 0; i < len(p); i += blockSize {
		b := p[i : i+blockSize]
		if i > 0 {
			subtle.XORBytes(b, b, p[i-blockSize:i])
		}
		c.block.Encrypt(b, b)
	}
	const upper = "0123456789ABCDEF"
	n := len(p)
	dst = append(dst, p...) // room; from the end, so that nothing is overwritten unread
	p = dst[start:]
	for i := n - 1; i >= 0; i-- {
		b := p[i]
		p[2*i], p[2*i+1] = upper[b>>4], upper[b&15]
	}
	return dst
}
