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
// Reserve gives. What decides is stepped:
// slots, and package attempt. The goroutines of Sender live as long as Run.
//
// # notify.resolve, version 1
//
// Asked of a claim's holder over the link, JSON:
//
//	{"v":1,"notification","attempt","holder"} ->
//	{"v":1,"answer":"done"|"never_begun"|"in_doubt"|"under_way"|"stranger","outcome":{...} when done}
package notify
