package reception

import (
	"io"
	"net"
	"testing"

	"vedetta/cluster/env"
	"vedetta/node/strangers"
	"vedetta/wire/dc09"
)

// BenchmarkKnownPanel is what the front costs a known panel's message, the client and
// loopback in it: on a connection that stays, and with one for each message.
func BenchmarkKnownPanel(b *testing.B) {
	for name, perMessage := range map[string]bool{"long": false, "per-message": true} {
		b.Run(name, func(b *testing.B) {
			r, err := New(on("127.0.0.1:0"), desk{}, strangers.New(strangers.Config{}), env.Quiet(1))
			if err != nil {
				b.Fatal(err)
			}
			go func() {
				if err := r.Run(b.Context()); err != nil {
					b.Error(err)
				}
			}()
			r.SetOpen(true)
			for !r.Opened() {
			}
			l := "0"
			f, err := dc09.Message{Token: "SIA-DCS", Sequence: 7, Prefix: &l, Account: "AAA", Blocks: "[#AAA|Nri1/BA001]"}.AppendFrame(nil, nil)
			if err != nil {
				b.Fatal(err)
			}
			got := make([]byte, len("\nCCCC0LLL\"ACK\"0007L0#AAA[]\r"))
			var c net.Conn
			b.ReportAllocs()
			for b.Loop() {
				if c == nil {
					if c, err = net.Dial("tcp", r.AddressOf("main", TCP).String()); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := c.Write(f); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, got); err != nil {
					b.Fatal(err)
				}
				if perMessage {
					c.Close()
					c = nil
				}
			}
		})
	}
}
