// Package notify sends what was claimed for this process, and finds out what
// became of the claims of processes that are gone.
//
// It promises: the last byte of a message leaves within ten seconds, counted
// from before the claim's proposal, or not at all (rule 23); every attempt that
// was begun gets an outcome, proposed until the agreement has answered (rule
// 19); a claim that this process was asked about and hadn't begun is never
// begun (rule 24); a hand-over repeated without proof is recorded as unknown,
// unless the channel is idempotent by id. Contact and consent are looked at
// once more right before the message is sent (rule 15).
//
// It does not decide what to send: package alerting claims, in the slots that
// Reserve gives. What decides is stepped, without goroutine, clock or I/O:
// slots, ledger, judge, resolve. The goroutines of Sender live as long as Run.
//
// # What may be sent again (rule 24)
//
//	what is known of the attempt            idempotent channel   mail, life safety   mail, other
//	holder: done                            its outcome          its outcome         its outcome
//	holder: never begun                     sent again           sent again          sent again
//	holder: last byte out, waits            waited for           waited for          waited for
//	holder: last byte out, no answer came   sent again           sent again, *       unknown
//	holder gone, or another incarnation     sent again           sent again, *       sent again, *
//
// * recorded as unknown (possibly_twice) even when it is delivered then. A mail
// of a holder that is gone is repeated whatever its category: most often it was
// never sent, and a missing alarm is worse than a second mail with the same
// Message-ID. No clock can exclude a pause before the last byte; that is what
// unknown is for.
//
// # notify.resolve, version 1
//
// Asked of a claim's holder over the link, JSON:
//
//	{"v":1,"notification","attempt","holder"} ->
//	{"v":1,"answer":"done"|"never_begun"|"in_doubt"|"under_way"|"stranger","outcome":{...} when done}
package notify
