package edge

import (
	"net/http"
	"strconv"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/scheduling"
)

// language of the caller: "hi" when Accept-Language prefers Hindi, else "en".
// The answer depends on that header, and caches are told so.
func (c *Ctx) language() string {
	c.w.Header().Set("Vary", "Accept-Language")
	if ablate.Off(ablate.SMSFixedText) {
		return c.r.Header.Get("Accept-Language")
	}
	return languageOf(c.r)
}

// languageOf chooses between Hindi and English: the one with the higher
// quality (RFC 9110, 12.5.4), the earlier one of equals, English when neither
// is named. Tags are taken with a hyphen or, as CoWIN writes them, an
// underscore ("hi_IN").
func languageOf(r *http.Request) string {
	lines := r.Header["Accept-Language"]
	if len(lines) == 0 {
		return "en"
	}
	best, quality := "en", 0.0
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			tag, params, _ := strings.Cut(part, ";")
			name := strings.ToLower(strings.TrimSpace(tag))
			if i := strings.IndexAny(name, "-_"); i >= 0 {
				name = name[:i]
			}
			if name != "hi" && name != "en" {
				continue
			}
			if q := qualityOf(params); q > quality {
				best, quality = name, q
			}
		}
	}
	return best
}

// qualityOf reads the weight of one choice: 1 when none is given, 0 when it
// cannot be read.
func qualityOf(params string) float64 {
	text, ok := strings.CutPrefix(strings.ToLower(strings.ReplaceAll(params, " ", "")), "q=")
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// wireLocal holds the fields that CoWIN adds to a centre for Accept-Language
// (contract.md 1.1). A name that is not held in that language is "".
type wireLocal struct {
	Name     string `json:"name_l"`
	Address  string `json:"address_l"`
	State    string `json:"state_name_l"`
	District string `json:"district_name_l"`
	Block    string `json:"block_name_l"`
}

// localOf is a centre's further fields: none in English.
func (s *Server) localOf(c scheduling.Centre, language string) *wireLocal {
	if language != "hi" {
		return nil
	}
	w := &wireLocal{}
	if state, ok := s.cfg.Places.State(c.StateID); ok {
		w.State = state.NameHi
	}
	if d, ok := s.cfg.Places.District(c.DistrictID); ok {
		w.District = d.NameHi
	}
	return w
}
