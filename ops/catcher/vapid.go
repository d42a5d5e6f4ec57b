package catcher

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// checkVAPID checks the Authorization header of RFC 8292 as a push service
// does; bound is the public key that the subscription was made under, empty:
// any. Our own code on the standard library, so that what sends is not judged
// by what it was made with.
func checkVAPID(r *http.Request, bound string, now time.Time) (status int, err error) {
	scheme, params, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "vapid") {
		return http.StatusUnauthorized, errors.New("header Authorization: want vapid with t and k")
	}
	var token, key string
	for part := range strings.SplitSeq(params, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case "t":
			token = value
		case "k":
			key = strings.TrimRight(value, "=")
		}
	}
	if bound != "" && key != strings.TrimRight(bound, "=") {
		return http.StatusForbidden, errors.New("vapid: the subscription was made under another key")
	}
	claims, err := openToken(token, key)
	if err != nil {
		return http.StatusForbidden, err
	}
	origin := "http://" + r.Host
	if r.TLS != nil {
		origin = "https://" + r.Host
	}
	switch exp := time.Unix(claims.Expires, 0); {
	case claims.Audience != origin:
		return http.StatusForbidden, errors.New("vapid: aud is not this push service")
	case !exp.After(now), exp.After(now.Add(24*time.Hour + time.Minute)):
		return http.StatusForbidden, errors.New("vapid: exp: want a time within the next 24 hours")
	case !strings.HasPrefix(claims.Subject, "https:") && (!strings.HasPrefix(claims.Subject, "mailto:") || strings.Count(claims.Subject, "mailto:") != 1):
		return http.StatusForbidden, errors.New("vapid: sub: want a mailto or https address")
	}
	return http.StatusOK, nil
}

type vapidClaims struct {
	Audience string `json:"aud"`
	Expires  int64  `json:"exp"`
	Subject  string `json:"sub"`
}

var errToken = errors.New("vapid: want a token signed with ES256 by the key beside it")

// openToken checks an ES256 signature (RFC 7518, 3.4) and returns what was signed.
func openToken(token, key string) (c vapidClaims, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, errToken
	}
	var raw [3][]byte
	for i, p := range parts {
		if raw[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			return c, errToken
		}
	}
	var head struct {
		Algorithm string `json:"alg"`
	}
	point, err := base64.RawURLEncoding.DecodeString(key)
	if err != nil || json.Unmarshal(raw[0], &head) != nil || head.Algorithm != "ES256" || len(raw[2]) != 64 {
		return c, errToken
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return c, errToken
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(raw[2][:32]), new(big.Int).SetBytes(raw[2][32:])) {
		return c, errToken
	}
	if json.Unmarshal(raw[1], &c) != nil {
		return c, errToken
	}
	return c, nil
}
