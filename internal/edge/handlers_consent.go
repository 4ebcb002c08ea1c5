package edge

import (
	"time"

	"tikakosh/internal/registry/rules"
)

// homeZone is the zone in which times are shown beside UTC. India has one.
const homeZone = "Asia/Kolkata"

// local is an instant in homeZone, with its offset.
func local(ms int64) string {
	loc, err := time.LoadLocation(homeZone)
	if err != nil { // the zones are in the binary
		return instant(ms)
	}
	return time.UnixMilli(ms).In(loc).Format(time.RFC3339)
}

// listConsents lists what registrations have been agreed to, by the version that
// B2 names.
func listConsents(c *Ctx) error {
	type row struct {
		Version string `json:"version"`
		Purpose string `json:"purpose"`
		From    string `json:"from"`
		Text    string `json:"text"`
		Local   string `json:"text_l"`
	}
	out := struct {
		Consents []row `json:"consents"`
		TTL      int   `json:"ttl"`
	}{[]row{}, listTTL}
	for _, x := range rules.Consents() {
		r := row{Version: x.Version, Purpose: x.Purpose, From: x.From.Indian(), Text: x.Text}
		if c.language() == "hi" {
			r.Local = x.TextHi
		}
		out.Consents = append(out.Consents, r)
	}
	c.public(3600)
	return c.json(out)
}
