package event

// names are what a category is called, by language: the same word on every
// page and in every notification.
var names = map[Category]struct{ it, en string }{
	Fire:          {"Incendio", "Fire"},
	Medical:       {"Emergenza medica", "Medical emergency"},
	Panic:         {"Panico", "Panic"},
	Holdup:        {"Rapina", "Hold-up"},
	Duress:        {"Coercizione", "Duress"},
	Gas:           {"Gas", "Gas"},
	Water:         {"Allagamento", "Water"},
	Burglary:      {"Furto", "Burglary"},
	Tamper:        {"Manomissione", "Tamper"},
	Technical:     {"Allarme tecnico", "Technical alarm"},
	Trouble:       {"Anomalia", "Trouble"},
	Power:         {"Alimentazione", "Power"},
	Communication: {"Comunicazione", "Communication"},
	OpenClose:     {"Inserimento o disinserimento", "Arming or disarming"},
	Bypass:        {"Esclusione", "Bypass"},
	Access:        {"Accesso", "Access"},
	Test:          {"Prova", "Test"},
	System:        {"Sistema", "System"},
	Other:         {"Segnalazione", "Signal"},
}

// Name is what people call the category, in Italian or, for "en", in English.
// A category that is not known is called as Other, which it is routed like.
func (c Category) Name(language string) string {
	n, ok := names[c]
	if !ok {
		n = names[Other]
	}
	if language == "en" {
		return n.en
	}
	return n.it
}
