package dc09

import "testing"

// Aim: 3 us and 2 allocations for cutting, opening and answering.
func BenchmarkDecodeAndAnswerEncrypted(b *testing.B) {
	key := testKey(b, 16)
	m := Message{Token: TokenSIA, Sequence: 7, Receiver: ptr("1"), Prefix: ptr("0"), Account: "12345678", Blocks: "[#12345678|Nri1/BA001^Front door^]", Time: testTime()}
	raw, err := m.AppendFrame(nil, key)
	if err != nil {
		b.Fatal(err)
	}
	var cut Cutter
	plain, answer := make([]byte, 0, 4096), make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		cut.Feed(raw)
		f, err := cut.Next()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.Open(plain, key); err != nil {
			b.Fatal(err)
		}
		answer = f.AppendACK(answer[:0], key, testTime())
	}
}
