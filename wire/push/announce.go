package push

import (
	"encoding/json"
	"fmt"
)

// announceVersion is the version of the reply of central.push.
const announceVersion = 1

// announcement is what a node answers to central.push:
//
//	{"v":1,"public_key":base64url or null}
type announcement struct {
	Version   int     `json:"v"`
	PublicKey *string `json:"public_key"` // null: this node has no Web Push
}

// Announce says under which public key browsers are to subscribe.
func Announce(k Key) ([]byte, error) {
	a := announcement{Version: announceVersion}
	if !k.IsZero() {
		public := k.Public()
		a.PublicKey = &public
	}
	return json.Marshal(a)
}

// ReadAnnouncement returns the public key; empty when the mesh has no Web Push.
func ReadAnnouncement(b []byte) (string, error) {
	var a announcement
	if err := json.Unmarshal(b, &a); err != nil {
		return "", fmt.Errorf("central.push: %w", err)
	}
	if a.Version != announceVersion {
		return "", fmt.Errorf("central.push: version %d, want %d", a.Version, announceVersion)
	}
	if a.PublicKey == nil {
		return "", nil
	}
	if p, err := Decode(*a.PublicKey); err != nil || !onCurve(p) {
		return "", fmt.Errorf("central.push: public_key: want a P-256 public key of %d bytes in base64url", PointBytes)
	}
	return *a.PublicKey, nil
}
