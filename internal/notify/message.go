// Package notify is the courier: it carries messages to people and keeps
// nothing. It never learns who somebody is; it gets one number and one text at
// a time from the vault.
package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"tikakosh/internal/fault"
	"tikakosh/internal/vault"
)

// Message is one text to one number. ID makes sending idempotent; after
// Deadline (Unix milliseconds, 0 for none) sending is pointless.
type Message struct {
	ID       string // 1 to 200 printable ASCII characters
	To       string // 8 to 15 digits, "+" before them or not; an address on the channel of e-mails
	Channel  string // ChannelSMS or ChannelEmail
	Text     string // UTF-8, no control characters but line feeds, at most 2,000 bytes
	Deadline int64
	Once     bool // a one-time code: when it may have been sent, it is not sent again

	Template, Language string // for the registers of templates; "" where there is none
}

// The channels of messages.
const (
	ChannelSMS   = "sms"
	ChannelEmail = "email"
)

// Sender hands a message to a route. It returns nil when the route has taken
// it, fault.Invalid when the route will never take this message, fault.Unknown
// when it may have taken it, and any other error when it has not. It is safe for concurrent use and must not
// log To or Text nor put them into errors.
type Sender interface {
	Send(ctx context.Context, m Message) error
}

// The bounds of a message, in bytes; maxMessage is that of its JSON.
const (
	maxMessage = 16 << 10
	maxID      = 200
	maxText    = 2000
)

// check returns fault.Invalid, without the value, for what no route can send.
func (m Message) check() error {
	number := strings.TrimPrefix(m.To, "+")
	printable := func(r rune) bool { return r > ' ' && r < 0x7f }
	switch {
	case m.ID == "" || len(m.ID) > maxID || strings.IndexFunc(m.ID, func(r rune) bool { return !printable(r) }) >= 0:
		return fault.New(fault.Invalid, "message", "a message's id is 1 to 200 printable characters")
	case m.Channel != ChannelSMS && m.Channel != ChannelEmail:
		return fault.New(fault.Invalid, "message", "this version knows the channels sms and email only")
	case m.Channel == ChannelSMS && (len(number) < 8 || len(number) > 15 || !only(number, "0123456789")):
		return fault.New(fault.Invalid, "message", "a message's number is 8 to 15 digits")
	case m.Channel == ChannelEmail && !isEmail(m.To):
		return fault.New(fault.Invalid, "message", "a message's address is a plain e-mail address")
	case m.Text == "" || len(m.Text) > maxText || !utf8.ValidString(m.Text):
		return fault.New(fault.Invalid, "message", "a message's text is 1 to 2,000 bytes of UTF-8")
	case strings.IndexFunc(m.Text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) >= 0:
		return fault.New(fault.Invalid, "message", "a message's text has no control characters")
	case len(m.Template) > 32 || len(m.Language) > 8 || !only(m.Template+m.Language, "abcdefghijklmnopqrstuvwxyz-"):
		return fault.New(fault.Invalid, "message", "a message names its template and language in small letters")
	case m.Deadline < 0:
		return fault.New(fault.Invalid, "message", "a message's deadline is a time")
	}
	return nil
}

func isEmail(s string) bool {
	a, err := vault.ParseEmail(s)
	return err == nil && a == s
}

// parseMessage reads exactly one message, with known fields only. The error is
// fault.Invalid and holds nothing of the input.
func parseMessage(raw []byte) (Message, error) {
	var m Message
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(&m) != nil {
		return Message{}, fault.New(fault.Invalid, "message", "not a message")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Message{}, fault.New(fault.Invalid, "message", "more than one message")
	}
	if err := m.check(); err != nil {
		return Message{}, err
	}
	return m, nil
}
