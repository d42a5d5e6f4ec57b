package catcher

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	saltBytes = 16
	headBytes = saltBytes + 4 + 1 // RFC 8188, 2.1: salt, record size, length of the key id
)

var errPush = errors.New("push message: want one record of aes128gcm for this subscription")

// openPush decrypts a push message as the browser does (RFC 8291, 3.4; RFC
// 8188, 2): one record, its key from the sender's public key in the head.
func openPush(key *ecdh.PrivateKey, auth, body []byte) ([]byte, error) {
	if len(body) < headBytes {
		return nil, errPush
	}
	salt, size, idLen := body[:saltBytes], binary.BigEndian.Uint32(body[saltBytes:]), int(body[headBytes-1])
	if len(body) < headBytes+idLen || size < 18 {
		return nil, errPush
	}
	sender, record := body[headBytes:headBytes+idLen], body[headBytes+idLen:]
	public, err := ecdh.P256().NewPublicKey(sender)
	if err != nil || uint64(len(record)) > uint64(size) {
		return nil, errPush
	}
	secret, err := key.ECDH(public)
	if err != nil {
		return nil, errPush
	}
	cek, nonce, err := pushKeys(secret, auth, salt, key.PublicKey().Bytes(), sender)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(cek)
	if err != nil {
		return nil, fmt.Errorf("push message: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("push message: %w", err)
	}
	padded, err := gcm.Open(nil, nonce, record, nil)
	if err != nil {
		return nil, errPush
	}
	plain := bytes.TrimRight(padded, "\x00")
	if len(plain) == 0 || plain[len(plain)-1] != 2 { // 2 ends the last record
		return nil, errPush
	}
	return plain[:len(plain)-1], nil
}

// pushKeys derives the content key and the nonce.
func pushKeys(secret, auth, salt, receiver, sender []byte) (cek, nonce []byte, err error) {
	prk, err1 := hkdf.Extract(sha256.New, secret, auth)
	ikm, err2 := hkdf.Expand(sha256.New, prk, "WebPush: info\x00"+string(receiver)+string(sender), 32)
	prk, err3 := hkdf.Extract(sha256.New, ikm, salt)
	cek, err4 := hkdf.Expand(sha256.New, prk, "Content-Encoding: aes128gcm\x00", 16)
	nonce, err5 := hkdf.Expand(sha256.New, prk, "Content-Encoding: nonce\x00", 12)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, nil, fmt.Errorf("push message: %w", err)
	}
	return cek, nonce, nil
}
