package entry

import "vedetta/wire/mesh"

// Adopted says that this entry repeats one that was held because its account
// was unknown, under the key of the customer to whom it was given. Receive time
// and peer are those of the held one.
type Adopted struct {
	Held mesh.Position
	Tell Tell
}

// Tell says who is told of an adopted message.
type Tell string

// What an adoption tells. Whoever adopts decides; recent is what nobody regrets.
const (
	TellRecent Tell = "recent" // received within the last hour: as any event that is late; what is older: nobody
	TellAll    Tell = "all"    // as any event that is late (rule 6)
	TellNone   Tell = "none"   // nobody
)

// Known tells whether t is one of the above.
func (t Tell) Known() bool { return t == TellRecent || t == TellAll || t == TellNone }
