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
// Contact ID (Heng Bo panels, ademco_hb); XNM is the extended NULL.
func KindOf(token string) Kind {
	switch token {
	case TokenSIA:
		return KindSIA
	case TokenCID, "HENG-BO":
		return KindCID
	case TokenNull, "XNM":
		return KindPoll
	case TokenACK, TokenNAK, TokenDUH, TokenRSP:
		return KindAnswer
	}
	return KindUnknown
}
