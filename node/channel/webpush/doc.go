// Package webpush hands a notification to the push service of a contact's
// browser (RFC 8030), encrypted for that browser alone (RFC 8291) and signed
// with the mesh's own key (RFC 8292).
//
// It promises: Topic and tag are made from the notification's id, the same at
// every attempt and node, so that a service keeps one message and a device
// shows one (rule 10); the claim's deadline is asked right before the body
// (rule 23); private and reserved addresses are not dialed unless allowed,
// redirects are not followed, time and answers are bounded; the body fits into
// the 4096 bytes that every service must take. It keeps nothing but connections
// to push services, for a short while.
//
// # What an answer means
//
//	201, 202              delivered: the service has it (RFC 8030, 5 and 5.1)
//	404, 410              refused, gone: the subscription has ended (7.3). Central takes it from its contact
//	408, 425, 429, 5xx    not now; Retry-After is obeyed within bounds (8.4)
//	anything else         refused: also a 200, which is no push service's answer; 401 and 403 say
//	                      that the subscription was made under another key; 413 that 4096 bytes are too many
//	none after the body   unknown, sent again under the same topic
//
// # Payload, version 1
//
//	{"version":1,"id":<notification id>,
//	 "web_push":8030,                       with a portal's URL only: browsers show it without our worker
//	 "notification":{"title","body","lang","dir","tag":<topic>,"silent","renotify":false,"requireInteraction","timestamp","navigate"},
//	 "event":{"id","standard","code","qualifier","category","meaning","partition","zone","zone_name","user","text","panel_time","received_time","late"},
//	 "panel":{"id","name"}}
//
// Texts are in the contact's language. Absent is null; long texts are cut.
package webpush
