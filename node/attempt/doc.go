// Package attempt decides about one attempt to hand a notification over: whether
// its last byte may still leave (rule 23), what its outcome is recorded as, and
// what is recorded of an attempt whose holder is gone (rule 24).
//
// All of it is stepped: no goroutine, no clock, no I/O. Package notify carries
// it out, and the simulation drives it from a seed.
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
package attempt
