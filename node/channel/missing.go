package channel

import "context"

// Missing stands for a channel that this node was not configured for: what is
// planned for it ends at once with a reason that the customer sees, where it
// would otherwise stay open until it expires.
type Missing struct{}

// Traits is Sender; nothing is ever sent, so a repetition does no harm.
func (Missing) Traits() Traits { return Traits{Idempotent: true} }

// Send is Sender.
func (Missing) Send(context.Context, Message, func() bool) Outcome {
	return Refused(ReasonNoChannel, "")
}
