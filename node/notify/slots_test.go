package notify

import "testing"

func TestSlotsKeepRoomForLifeSafety(t *testing.T) {
	s := newSlots(map[string]int{"email": 4})
	for i := range 3 {
		if !s.take("email", false) {
			t.Fatalf("slot %d was not given", i)
		}
	}
	if s.take("email", false) {
		t.Error("the last slot went to something that can wait")
	}
	if !s.take("email", true) || s.take("email", true) {
		t.Error("life safety didn't get exactly the last slot")
	}
	s.give("email")
	if !s.take("email", true) {
		t.Error("a slot given back was not given again")
	}
	if s.take("fax", true) {
		t.Error("a slot of a channel that is not there")
	}
	s.give("email")
	s.close()
	if s.take("email", true) {
		t.Error("a slot while draining")
	}
}
