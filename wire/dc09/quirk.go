package dc09

// Quirk is a set of deviations that were met and tolerated.
type Quirk uint32

// Quirks, in the order of Words. The numbers are in memory only.
const (
	QuirkMissingLF      Quirk = 1 << iota // row 4 of the reference: no LF before the CRC
	QuirkTrailingNUL                      // NUL after CR (ioBroker.sia issue 11)
	QuirkBinaryCRC                        // Lupus, Climax, Egardia, Trikdis E16
	QuirkCRInCRC                          // Eldes
	QuirkLengthDecimal                    // length written in decimal digits (pysiaalarm p0)
	QuirkLengthBad                        // any other wrong length below a good CRC
	QuirkEmptyPrefix                      // L without a number (ioBroker.sia issue 11)
	QuirkNoPrefix                         // no L at all (fioletoven/dc09)
	QuirkReceiverNotHex                   // a name in R (Micro Seven brochure)
	QuirkAccountNotHex                    // Focus FC-7688: foc7688
	QuirkNoAccount                        // no #acct in the header
	QuirkHeaderText                       // text in the header that is no field; echoed, else ignored
	QuirkNoBlockAccount                   // no #acct in the data block (Ajax)
	QuirkAccountDiffers                   // header and block name different accounts (Hikvision)
	QuirkPadWithoutBar                    // encrypted, empty data, no bar after the pad (spt, fiol)
	QuirkBadTimestamp                     // a timestamp that is no date: year of three digits, month 00
	QuirkTrailingText                     // text after the last bracket that is no timestamp
	QuirkStarButPlain                     // "*ID", and the content in clear (Micro Seven brochure); not to be opened
	QuirkMissingCR                        // no CR at the end; Inspect only, for a receiver such a frame is incomplete
)

var quirkWords = [...]string{
	"missing-LF", "trailing-NUL", "binary-crc", "crc-and-length-include-CR", "length-decimal", "length-bad",
	"empty-prefix", "no-prefix", "receiver-not-hex", "account-not-hex", "no-account-in-header", "header-text",
	"no-account-in-block", "account-differs", "pad-without-bar", "bad-timestamp", "trailing-text",
	"asterisk-but-plain-text", "missing-CR",
}

// Words lists the set as words for logs, journal and tools; nil when empty.
func (q Quirk) Words() []string {
	var words []string
	for i, w := range quirkWords {
		if q&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return words
}
