package link

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"time"
)

// MaxCallBytes is the limit of a request and of an answer.
const MaxCallBytes = 32 << 20

// maxErrorText bounds what an answer says about a failure.
const maxErrorText = 4096

type callHandler struct {
	roles []string
	fn    func(context.Context, Identity, []byte) ([]byte, error)
}

// call sends one request and waits for its answer. An error for which
// NothingDone holds may be repeated; after others the request may have worked.
func (e *endpoint) call(ctx context.Context, name, method string, req []byte) ([]byte, error) {
	if len(req) > MaxCallBytes || len(method) == 0 || len(method) > 255 {
		return nil, errorf(KindTooLong, name, "call "+method, "request of %d bytes, want at most %d", len(req), MaxCallBytes)
	}
	if name == e.self.Name && e.self.Role == RoleNode {
		return e.answer(ctx, e.self, method, req)
	}
	c, err := e.connected(name, "call "+method)
	if err != nil {
		return nil, err
	}
	s, err := c.openStream(ctx, PurposeCall)
	if err != nil {
		return nil, err
	}
	defer s.CancelRead()
	stop := context.AfterFunc(ctx, s.Abort)
	defer stop()

	b := append([]byte{byte(len(method))}, method...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(req)))
	if _, err = s.Write(append(b, req...)); err == nil {
		err = s.CloseWrite()
	}
	var resp []byte
	if err == nil {
		resp, err = readAnswer(s)
	}
	if err != nil {
		s.CancelWrite()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if _, ok := err.(*CallError); ok {
			return nil, fmt.Errorf("call %s at %s: %w", method, name, err)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = errorf(KindProtocol, name, "call "+method, "answer is cut short")
		}
		return nil, wrap(name, "call "+method, err)
	}
	return resp, nil
}

func readAnswer(r io.Reader) ([]byte, error) {
	var status [1]byte
	if _, err := io.ReadFull(r, status[:]); err != nil {
		return nil, err
	}
	switch status[0] {
	case 0:
		b, err := readBlock(r)
		if err == nil {
			err = wantEnd(r)
		}
		return b, err
	case 1:
		kind, err := readShort(r)
		if err != nil {
			return nil, err
		}
		var n [2]byte
		if _, err := io.ReadFull(r, n[:]); err != nil {
			return nil, err
		}
		text := make([]byte, binary.BigEndian.Uint16(n[:]))
		if _, err := io.ReadFull(r, text); err != nil {
			return nil, err
		}
		return nil, &CallError{Kind: Kind(kind), Text: string(text)}
	}
	return nil, errorf(KindProtocol, "", "read answer", "status %d, want 0 or 1", status[0])
}

// readBlock reads a length and so many bytes; memory grows with what arrives.
func readBlock(r io.Reader) ([]byte, error) {
	var n [4]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	want := int64(binary.BigEndian.Uint32(n[:]))
	if want > MaxCallBytes {
		return nil, errorf(KindTooLong, "", "read", "%d bytes announced, want at most %d", want, MaxCallBytes)
	}
	b, err := io.ReadAll(io.LimitReader(r, want))
	if err == nil && int64(len(b)) < want {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

func readShort(r io.Reader) (string, error) {
	var n [1]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return "", err
	}
	b := make([]byte, n[0])
	_, err := io.ReadFull(r, b)
	return string(b), err
}

// wantEnd makes sure that the other side ended cleanly: what is cut is never whole.
func wantEnd(r io.Reader) error {
	var b [1]byte
	switch _, err := io.ReadFull(r, b[:]); err {
	case io.EOF:
		return nil
	case nil:
		return errorf(KindProtocol, "", "read", "bytes after the end")
	default:
		return err
	}
}

// serveCall is the function of PurposeCall.
func (e *endpoint) serveCall(ctx context.Context, from Identity, st Stream) error {
	s := st.(*stream)
	s.SetReadDeadline(time.Now().Add(time.Minute)) // a request of the greatest size over a poor line
	method, err := readShort(s)
	if err != nil {
		return err
	}
	req, err := readBlock(s)
	if err == nil {
		err = wantEnd(s)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(s.Stream.Context(), cancel) // the caller went away
	defer stop()
	resp, err := e.answer(ctx, from, method, req)
	if err == nil && len(resp) > MaxCallBytes {
		err = &CallError{KindTooLong, fmt.Sprintf("answer of %d bytes, want at most %d", len(resp), MaxCallBytes)}
	}
	s.SetWriteDeadline(time.Now().Add(time.Minute))
	_, err = s.Write(appendAnswer(nil, resp, err))
	return err
}

func appendAnswer(b, resp []byte, err error) []byte {
	if err == nil {
		b = binary.BigEndian.AppendUint32(append(b, 0), uint32(len(resp)))
		return append(b, resp...)
	}
	kind := KindOf(err)
	if _, ok := err.(*CallError); !ok && kind == "" || len(kind) > 255 {
		kind = KindFailed
	}
	text := err.Error()
	if e, ok := err.(*CallError); ok {
		text = e.Text
	}
	text = text[:min(len(text), maxErrorText)]
	b = append(b, 1, byte(len(kind)))
	b = append(b, kind...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// answer runs the method's function for one who may call it.
func (e *endpoint) answer(ctx context.Context, from Identity, method string, req []byte) ([]byte, error) {
	h, ok := e.calls[method]
	if !ok {
		e.refused.WithLabelValues("call").Inc()
		return nil, &CallError{KindRefused, fmt.Sprintf("there is no method %q", method)}
	}
	if !slices.Contains(h.roles, from.Role) {
		e.refused.WithLabelValues("call").Inc()
		return nil, &CallError{KindRefused, fmt.Sprintf("role %s may not call %q", from.Role, method)}
	}
	return h.fn(ctx, from, req)
}
