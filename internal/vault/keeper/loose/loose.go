// Package loose reads what CoWIN's clients send: numbers where a text is meant.
package loose

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Text is a JSON string or number as text.
type Text string

// UnmarshalJSON accepts a string or an integer.
func (l *Text) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" { // as in the web role: no value
		return nil
	}
	if strings.HasPrefix(s, `"`) {
		return json.Unmarshal(b, (*string)(l))
	}
	if _, err := strconv.ParseUint(s, 10, 63); err != nil {
		return err
	}
	*l = Text(s)
	return nil
}
