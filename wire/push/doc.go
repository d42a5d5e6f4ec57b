// Package push is what the ends of Web Push must agree on: the subscription
// that a browser gives away (RFC 8291), and the key pair that push services
// know us by (VAPID, RFC 8292). The nodes send with it, central lets browsers
// subscribe under its public half, vedettactl makes it.
//
// It sends nothing and keeps nothing. Errors name the field and never tell an
// endpoint or key: an endpoint is personal, and who knows it may send.
package push
