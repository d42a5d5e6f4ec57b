package dc09

// crcTables make CRC-16/ARC (polynomial 0xA001 reflected, start 0, no final XOR;
// check value of "123456789" is BB3D) eight bytes at a time. Table 0 is DC-07's
// printed one, but for its misprint: entry 101 is EB01.
var crcTables = makeCRCTables()

func makeCRCTables() (t [8][256]uint16) {
	for i := range 256 {
		crc := uint16(i)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
		t[0][i] = crc
	}
	for k := 1; k < 8; k++ {
		for i := range 256 {
			prev := t[k-1][i]
			t[k][i] = prev>>8 ^ t[0][byte(prev)]
		}
	}
	return t
}

// CRC is the CRC-16/ARC of b.
func CRC(b []byte) uint16 { return crcUpdate(0, b) }

func crcUpdate(crc uint16, b []byte) uint16 {
	t := &crcTables
	for len(b) >= 8 {
		crc = t[7][byte(crc)^b[0]] ^ t[6][byte(crc>>8)^b[1]] ^ t[5][b[2]] ^ t[4][b[3]] ^
			t[3][b[4]] ^ t[2][b[5]] ^ t[1][b[6]] ^ t[0][b[7]]
		b = b[8:]
	}
	for _, c := range b {
		crc = crc>>8 ^ t[0][byte(crc)^c]
	}
	return crc
}
