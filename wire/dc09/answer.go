package dc09

import "time"

// The answers. Each is appended to dst, in the form that f.Answer says. Sequence,
// receiver, prefix and account stand in them byte for byte as they came; R only if
// it came (Pyronix took "RNone" for a failed poll, home-assistant issue 180511).

// AppendACK says that the message is stored. It is encrypted when the message was,
// with the same key and a new timestamp; key is not looked at otherwise.
func (f Frame) AppendACK(dst []byte, key *Cipher, now time.Time) []byte {
	if !f.Encrypted {
		return f.appendPlain(dst, `"ACK"`)
	}
	dst, start := beginFrame(dst, f.Answer)
	dst = append(dst, `"*ACK"`...)
	dst = append(dst, f.echo...)
	dst = append(dst, '[')
	sealed := len(dst)
	dst = appendPad(dst, padLen(len("|]")+stampLen))
	dst = append(dst, "|]"...)
	dst = appendStamp(dst, now)
	dst = key.sealTail(dst, sealed)
	return endFrame(dst, start, f.Answer)
}

// AppendDUH says that the message came well and can't be processed: the panel must
// not repeat it. It is never encrypted.
func (f Frame) AppendDUH(dst []byte) []byte { return f.appendPlain(dst, `"DUH"`) }

// AppendNAK says that the message's time is wrong, and gives ours. Its fields are
// fixed, and it is never encrypted. Without the time panels can't repair it
// (pysiaalarm issue 14).
func (f Frame) AppendNAK(dst []byte, now time.Time) []byte {
	dst, start := beginFrame(dst, f.Answer)
	dst = append(dst, `"NAK"0000R0L0A0[]`...)
	dst = appendStamp(dst, now)
	return endFrame(dst, start, f.Answer)
}

func (f Frame) appendPlain(dst []byte, token string) []byte {
	dst, start := beginFrame(dst, f.Answer)
	dst = append(dst, token...)
	dst = append(dst, f.echo...)
	dst = append(dst, "[]"...)
	return endFrame(dst, start, f.Answer)
}

// beginFrame leaves room for CRC and length; start is where the frame begins.
func beginFrame(dst []byte, form Form) ([]byte, int) {
	start := len(dst)
	if form == Binary {
		return append(dst, "\n??0LLL"...), start
	}
	return append(dst, "\nCCCC0LLL"...), start
}

// endFrame ends the frame that began at start and fills in CRC and length.
func endFrame(dst []byte, start int, form Form) []byte {
	body, counted := start+9, len(dst)
	if form == Binary {
		body = start + 7
	}
	dst = append(dst, cr)
	if form == ASCIICR {
		counted++
	}
	crc, n := CRC(dst[body:counted]), counted-body
	if form == Binary {
		dst[start+1], dst[start+2] = byte(crc>>8), byte(crc)
	} else {
		putHex(dst[start+1:start+5], int(crc))
	}
	putHex(dst[body-3:body], n)
	return dst
}

func putHex(p []byte, n int) {
	for i := len(p) - 1; i >= 0; i-- {
		p[i] = "0123456789ABCDEF"[n&15]
		n >>= 4
	}
}
