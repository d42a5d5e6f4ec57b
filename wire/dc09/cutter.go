package dc09

import "bytes"

// Cutter cuts a byte stream into frames by their length and CRC, wherever the
// stream was split. It is stepped: bytes in by Space and Advance (or Feed), frames
// out by Next until ErrMore. The zero value is ready. Its buffer grows to 2 *
// MaxFrame at most, and only with bytes that came.
type Cutter struct {
	buf     []byte // buf[at:] is not cut yet
	at      int
	open    bool // scan belongs to the frame at buf[at]
	scan    scan
	frames  int // frames and bad frames that were cut
	garbage int // bytes skipped since the last frame
}

const firstBuffer = 512

// Size is how many bytes the buffer takes.
func (c *Cutter) Size() int { return cap(c.buf) }

// Space returns room for the next read; tell by Advance how much of it was used. A
// buffer that a long frame made grow is given up when nothing is left in it.
func (c *Cutter) Space() []byte {
	if c.at == len(c.buf) && cap(c.buf) > firstBuffer {
		c.buf, c.at = nil, 0
	}
	if c.at > 0 {
		n := copy(c.buf, c.buf[c.at:])
		c.buf, c.at = c.buf[:n], 0
	}
	if cap(c.buf)-len(c.buf) < 64 {
		bigger := make([]byte, len(c.buf), min(max(firstBuffer, 2*cap(c.buf)), max(2*MaxFrame, len(c.buf)+64)))
		copy(bigger, c.buf)
		c.buf = bigger
	}
	return c.buf[len(c.buf):cap(c.buf)]
}

// Advance says that n bytes were read into Space.
func (c *Cutter) Advance(n int) { c.buf = c.buf[:len(c.buf)+n] }

// Feed takes a copy of p.
func (c *Cutter) Feed(p []byte) {
	for len(p) > 0 {
		n := copy(c.Space(), p)
		c.Advance(n)
		p = p[n:]
	}
}

// Pending tells whether a frame has begun and not ended: its time limit runs.
// Silent bytes between frames don't begin one.
func (c *Cutter) Pending() bool {
	for _, b := range c.buf[c.at:] {
		if !silent(b) {
			return true
		}
	}
	return false
}

// Next returns the next frame, ErrMore, or a *BadFrame; behind one that isn't
// Hopeless the stream goes on.
func (c *Cutter) Next() (Frame, error) {
	for {
		rest := c.buf[c.at:]
		if !c.open {
			h, v := readHead(rest)
			switch {
			case v == more:
				return Frame{}, ErrMore
			case v == no:
				if err := c.skip(rest); err != nil {
					return Frame{}, err
				}
				continue
			}
			c.open, c.scan = true, newScan(h)
		}
		x, v, reason := c.scan.run(rest, false)
		if v == more {
			return Frame{}, ErrMore
		}
		c.open = false
		c.at += x.next
		c.frames++
		if v == no {
			if reason == ReasonOversize {
				c.garbage += x.next
			}
			return Frame{}, refuse(rest, x, reason)
		}
		c.garbage = 0
		return newFrame(rest, x)
	}
}

// skip passes over what is no frame, up to the next LF. A stream whose very first
// bytes are none is another protocol's.
func (c *Cutter) skip(rest []byte) error {
	if silent(rest[0]) {
		n := 1
		c.at += n
		return c.count(n)
	}
	if c.frames == 0 {
		return &BadFrame{Reason: ReasonForeign, Detail: Foreign(rest), Raw: rest}
	}
	n := bytes.IndexByte(rest, lf)
	if n < 0 {
		n = len(rest)
	}
	c.at += n
	return c.count(n)
}

func (c *Cutter) count(n int) error {
	c.garbage += n
	if c.garbage > MaxGarbage {
		return &BadFrame{Reason: ReasonGarbage}
	}
	return nil
}
