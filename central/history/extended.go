package history

import "vedetta/wire/event"

// Extended is one field of what a panel says besides its events.
type Extended struct {
	ID    string  `json:"id"`    // DC-09's letter
	Name  string  `json:"name"`  // what it means, as a word
	Value *string `json:"value"` // null: a secret, or nothing
}

// Coordinates are where a panel says that an event happened, in degrees.
type Coordinates struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

func extendedOf(lines []string) ([]Extended, *Coordinates) {
	out := []Extended{}
	list := event.ExtendedLines(lines)
	for _, x := range list {
		out = append(out, Extended{x.ID, x.Key(), present(x.Value)})
	}
	latitude, longitude, ok := event.Coordinates(list)
	if !ok {
		return out, nil
	}
	return out, &Coordinates{latitude, longitude}
}
