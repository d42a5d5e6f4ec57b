// Package webhook hands a notification to a customer's own server as a signed
// call, in the form of Standard Webhooks.
//
// It promises: webhook-id is the notification's id, the same at every attempt
// and node, so that the receiver knows a repetition; the body is the same too;
// private and reserved addresses are not dialed unless allowed, redirects are
// not followed, answers are read up to a bound. 2xx is delivered. It starts no
// goroutine that outlives Send.
//
// # Call
//
//	POST url
//	webhook-id: <notification id>
//	webhook-timestamp: <Unix seconds of this attempt>
//	webhook-signature: v1,<base64 of HMAC-SHA-256(secret, id "." timestamp "." body)>
//	content-type: application/json
//
// # Body, version 1
//
//	{"version":1,"type":"notification","timestamp":<receive time>,"data":{
//	  "event":{...as GET /api/v1/events shows it, without acknowledgement...},
//	  "panel":{"id","name","account"},
//	  "notification":{"id","event_id","contact_id","channel":"webhook"}}}
//
// Absent is null, never left out. copies is what was known when it was sent.
package webhook
