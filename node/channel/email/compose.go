package email

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	netmail "net/mail"

	mail "github.com/wneessen/go-mail"

	"vedetta/node/channel"
)

//go:embed mail.html
var mailText string

// compose writes the whole mail. It is the same for every attempt but for
// MIME's boundaries.
func (c *Channel) compose(m channel.Message, to netmail.Address) ([]byte, error) {
	w := c.wordsOf(m)
	strong, soft := colours(w.Tone)
	var page bytes.Buffer
	err := c.page.Execute(&page, map[string]any{
		"Lang": w.Lang, "Loud": w.Loud, "Kind": w.Kind, "Meaning": w.Meaning, "Premises": w.Premises, "Place": w.Place, "Late": w.late,
		"Colour": template.CSS(strong), "Soft": template.CSS(soft), "Rows": w.rows, "Why": w.why, "Twice": w.twice, "No": w.no,
		"Subject": w.Headline(),
	})
	if err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&c.from)
	msg.ToMailAddress(&netmail.Address{Address: to.Address}) // a name could carry anything
	msg.Subject(w.Headline())
	msg.SetMessageIDWithValue(MessageID(m.Notification, c.from.Address))
	msg.SetDateWithValue(m.Event.Received.UTC())
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // no holiday notes to us
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetGenHeader("X-Vedetta-Notification", m.Notification)
	if m.Urgent {
		msg.SetImportance(mail.ImportanceHigh)
	}
	msg.SetBodyString(mail.TypeTextPlain, w.text())
	msg.AddAlternativeString(mail.TypeTextHTML, page.String())
	var out bytes.Buffer
	if _, err := msg.WriteTo(&out); err != nil {
		return nil, fmt.Errorf("email: %w", err)
	}
	return out.Bytes(), nil
}

// MessageID is the id of the mail of a notification, the same at every
// attempt and node (rule 10), without its brackets.
func MessageID(notification, from string) string { return notification + "@" + domainOf(from) }
