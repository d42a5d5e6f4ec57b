package event

// Category is one of a closed list; rules and notifications go by it.
type Category string

// Categories.
const (
	Fire          Category = "fire"
	Medical       Category = "medical"
	Panic         Category = "panic"
	Holdup        Category = "holdup"
	Duress        Category = "duress"
	Gas           Category = "gas"
	Water         Category = "water"
	Burglary      Category = "burglary"
	Tamper        Category = "tamper"
	Technical     Category = "technical"
	Trouble       Category = "trouble"
	Power         Category = "power"
	Communication Category = "communication"
	OpenClose     Category = "openclose"
	Bypass        Category = "bypass"
	Access        Category = "access"
	Test          Category = "test"
	System        Category = "system"
	Other         Category = "other" // also every unknown code; routed like an alarm
)

// Categories lists all, in the order in which they are shown.
func Categories() []Category {
	return []Category{
		Fire, Medical, Panic, Holdup, Duress, Gas, Water, Burglary, Tamper, Technical,
		Trouble, Power, Communication, OpenClose, Bypass, Access, Test, System, Other,
	}
}

// LifeSafety tells whether lives may hang on it: these go out first, and at zero
// credit.
func (c Category) LifeSafety() bool {
	switch c {
	case Fire, Medical, Panic, Holdup, Duress, Gas:
		return true
	}
	return false
}
