package notify

import (
	"unicode"
	"unicode/utf16"

	"github.com/linxGnu/gosmpp/data"
)

// The room of a short message: alone, and as one of several with the header that
// joins them (3GPP TS 23.040 9.2.3.24.1).
const (
	gsmAlone, gsmJoined   = 160, 153 // septets
	ucs2Alone, ucs2Joined = 70, 67   // UTF-16 units
	maxSegments           = 8
)

// segments cuts a text into short messages, in the telephone alphabet when that
// has all its letters, else in UCS-2. A cut parts no surrogate pair and no letter
// from its marks, so that each part can be shown alone.
func segments(text string) (parts []string, enc data.Encoding) {
	runes := []rune(text)
	enc, alone, joined := data.GSM7BIT, gsmAlone, gsmJoined
	width := func(r rune) int {
		if data.IsEscapeChar(r) {
			return 2
		}
		return 1
	}
	if len(data.ValidateGSM7String(text)) > 0 {
		enc, alone, joined = data.UCS2, ucs2Alone, ucs2Joined
		width = func(r rune) int { return max(1, utf16.RuneLen(r)) }
	}
	total := 0
	for _, r := range runes {
		total += width(r)
	}
	if total <= alone {
		return []string{text}, enc
	}
	for len(runes) > 0 {
		n, room := 0, joined
		for n < len(runes) && width(runes[n]) <= room {
			room -= width(runes[n])
			n++
		}
		cut := n
		for cut < len(runes) && cut > 1 && unicode.IsMark(runes[cut]) {
			cut--
		}
		if cut > joined/2 {
			n = cut
		}
		parts, runes = append(parts, string(runes[:n])), runes[n:]
	}
	return parts, enc
}
