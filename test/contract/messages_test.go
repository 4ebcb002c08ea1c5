package contract

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// TestMessageErrors: what cannot be told, or not there, is refused in so many
// words, in each language.
func TestMessageErrors(t *testing.T) {
	s := server(t)
	c, _ := s.Holder()
	until := later30(s)
	want(t, ask(t, c, "POST", "/v3/alerts", map[string]any{"pincode": "110001", "dose": 1, "vaccine": "COVAXIN", "until": until}), 200)
	s.OpenToday()
	card := c.ByCard(s.WalkIn(harness.Person{Name: "Asha Test", ID: s.PAN()}))
	txn := want(t, ask(t, c, "POST", "/v3/email", map[string]any{"email": "a" + s.Mobile() + "@mail.example"}), 200).Field("txnId")
	wish := func(more map[string]any) map[string]any {
		m := map[string]any{"dose": 1, "until": until}
		for k, v := range more {
			m[k] = v
		}
		return m
	}
	for _, r := range []struct {
		refused
		by *harness.Client
	}{
		{refused{"no such district", "POST", "/v3/alerts", wish(map[string]any{"district_id": 999_999}), 400, "district_id"}, c},
		{refused{"no such PIN code", "POST", "/v3/alerts", wish(map[string]any{"pincode": "999999"}), 400, "APPOIN0018"}, c},
		{refused{"PIN code of five digits", "POST", "/v3/alerts", wish(map[string]any{"pincode": "11000"}), 400, "USRRES0001"}, c},
		{refused{"the same wish again", "POST", "/v3/alerts", wish(map[string]any{"pincode": "110001", "vaccine": "COVAXIN"}), 400, "wish"}, c},
		{refused{"a day that has passed", "POST", "/v3/alerts", map[string]any{"district_id": 1, "dose": 1, "until": "01-01-2021"}, 400, "until"}, c},
		{refused{"nobody to tell", "POST", "/v3/alerts", wish(map[string]any{"district_id": 1}), 400, "mobile"}, card},
		{refused{"no address", "POST", "/v3/email", map[string]any{}, 400, "USRRES0001"}, c},
		{refused{"an address that is none", "POST", "/v3/email", map[string]any{"email": "asha at mail.example"}, 400, "email"}, c},
		{refused{"an address that ends its line", "POST", "/v3/email", map[string]any{"email": "a@mail.example\r\nBcc: b@mail.example"}, 400, "email"}, c},
		{refused{"an address by card", "POST", "/v3/email", map[string]any{"email": "a@mail.example"}, 403, "card"}, card},
		{refused{"state by card", "GET", "/v3/email", nil, 403, "card"}, card},
		{refused{"a wrong code", "POST", "/v3/email/confirm", map[string]any{"otp": harness.Digest("none"), "txnId": nowhere}, 400, "USRAUT0014"}, c},
		{refused{"a code in clear", "POST", "/v3/email/confirm", map[string]any{"otp": "123456", "txnId": txn}, 400, "USRAUT0014"}, c},
		{refused{"no transaction", "POST", "/v3/email/confirm", map[string]any{"otp": harness.Digest("none")}, 400, "USRRES0001"}, c},
	} {
		for _, lang := range languages {
			t.Run(r.name+" "+lang, func(t *testing.T) {
				r.checkIn(t, lang, ask(t, r.by, r.method, r.path, r.body, "Accept-Language", lang))
			})
		}
	}
}

// email takes a household through its other channel.
func (r *tour) email(c *harness.Client) {
	r.Helper()
	address := fmt.Sprintf("asha%s@mail.example", r.s.Mobile())
	r.good(c, "GET", "/v3/email", nil)
	txn := r.good(c, "POST", "/v3/email", map[string]any{"email": address}).Field("txnId")
	got := r.s.AwaitMessages(address, 0, 10*time.Second)
	if len(got) != 1 || devanagari(got[0].Text) != strings.HasPrefix(r.lang, "hi") {
		r.Fatalf("%d messages to the address: %+v", len(got), got)
	}
	r.good(c, "POST", "/v3/email/confirm", map[string]any{"otp": harness.Digest(got[0].Code()), "txnId": txn})
	if a := r.good(c, "GET", "/v3/email", nil); a.Field("since") == "" || strings.Contains(string(a.Body), "mail.example") {
		r.Errorf("%s", a.Text())
	}
	r.good(c, "POST", "/v3/email/delete", map[string]any{})
	if got := r.s.AwaitMessages(address, 1, 10*time.Second); len(got) != 2 {
		r.Errorf("%d messages to the address after it was taken back", len(got))
	}
}
