package dc09

// Tokens of frames, without the asterisk of encryption.
const (
	TokenSIA  = "SIA-DCS"
	TokenCID  = "ADM-CID"
	TokenNull = "NULL"
	TokenACK  = "ACK"
	TokenNAK  = "NAK"
	TokenDUH  = "DUH"
	TokenRSP  = "RSP"
)

// Kind is what a token's frame is good for.
type Kind uint8

// Kinds of tokens.
const (
	KindUnknown Kind = iota // stored raw, answered DUH
	KindSIA                 // events in DC-03 blocks
	KindCID                 // events in Contact ID blocks
	KindPoll                // proves the path only
	KindAnswer              // goes to panels, never comes from one
)

// KindOf tells what is to be done with a frame of this token. HENG-BO carries
// Contact ID (Heng Bo panels, ademco_hb), and so does ADM-CIDX with longer numbers;
// XNM is the extended NULL.
func KindOf(token string) Kind {
	switch token {
	case TokenSIA:
		return KindSIA
	case TokenCID, "HENG-BO", "ADM-CIDX":
		return KindCID
	case TokenNull, "XNM":
		return KindPoll
	case TokenACK, TokenNAK, TokenDUH, TokenRSP:
		return KindAnswer
	}
	return KindUnknown
}

// FormatOf names the format of a token of DC-07, Appendix H, or of a vendor, whose
// content is kept and not decoded: no public text defines it. Empty for the others.
func FormatOf(token string) string { return formats[token] }

var formats = map[string]string{
	"ACR-SF":  "Acron Super Fast",
	"ADM-41E": "Ademco 4/1 Express",
	"ADM-42E": "Ademco 4/2 Express",
	"ADM-HS":  "Ademco High Speed",
	"DSC-43":  "DSC 4/3",
	"FBI-SF":  "FBI Super Fast",
	"ITI-I":   "ITI",
	"RAD-I":   "Radionics",
	"RAD-II":  "Radionics II",
	"SCN-S8":  "Scancom, 8 channels",
	"SCN-S16": "Scancom, 16 channels",
	"SCN-S24": "Scancom, 24 channels",
	"SIA-PUL": "pulse (SIA)",
	"SIA-S2k": "SIA 2000",
	"SK-FSK1": "Silent Knight FSK 1",
	"SK-FSK2": "Silent Knight FSK 2",
	"VIS-ACK": "Visonic PowerLink",
	"VIS-BBA": "Visonic PowerLink",
}
