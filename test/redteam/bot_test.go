package redteam

import (
	"fmt"
	"strings"
	"testing"

	"tikakosh/test/harness"
)

// botNames are the family names of the play's victims: nobody else has them, so that an
// answer with one of them is somebody obtained.
func botName(i int) string {
	return fmt.Sprintf("Victim%c%c Test", 'a'+rune(i/26), 'a'+rune(i%26))
}

// bot is what the thief of a live vaccinator's session has: the key, a list of numbers
// some of which are victims', and, with the registry database captured, everybody's
// reference number and record id.
type bot struct {
	s       *harness.Server
	k       harness.StaffKey
	day     harness.Day
	names   []string
	mobiles []string
	ids     []string
	refs    []string
	served  map[string]bool
	got     map[string]bool
	asked   int
}

// newBot registers victims, some of whom are booked here today, and serves some of them.
func newBot(t *testing.T, s *harness.Server, victims int) *bot {
	t.Helper()
	b := &bot{s: s, k: s.StaffKey("vaccinator"), day: s.OpenToday(), served: map[string]bool{}, got: map[string]bool{}}
	for i := range victims {
		c, mobile := s.Holder()
		name, pan := botName(i), s.PAN()
		ref := c.Must("POST", "/v2/registration/beneficiary/new", harness.Person{Name: name, ID: pan}.Form()).Field("beneficiary_reference_id")
		b.names, b.mobiles, b.ids, b.refs = append(b.names, name), append(b.mobiles, mobile), append(b.ids, pan), append(b.refs, ref)
		if i%2 == 0 { // booked here today
			if _, a := c.Book(b.day, 1, ref); !a.OK() {
				t.Fatal(a.Text())
			}
			if i%10 == 0 { // and served: the thief sees who comes, and keeps their codes
				code := s.SecurityCode(mobile, b.day.Date)
				b.served[name] = true
				b.look(s.Client().Shown(b.k, harness.StaffViewPath, ref, "code "+code))
				if a := s.Client().Signed(b.k, harness.VaccinatePath, harness.DoseForm(b.day, ref, code, 1)); !a.OK() {
					t.Fatal(a.Text())
				}
				b.look(s.Client().Shown(b.k, harness.StaffViewPath, ref, "code "+code)) // a spent code again
			}
		}
	}
	return b
}

// look counts who is in an answer.
func (b *bot) look(a harness.Answer) {
	b.asked++
	body := string(a.Body)
	if !strings.Contains(body, "Victim") {
		return
	}
	for _, name := range b.names {
		if strings.Contains(body, name) && !b.served[name] {
			b.got[name] = true
		}
	}
}

// lists tries every number of a list of mobiles and one of id numbers wherever a number
// can be put, among many that are nobody's.
func (b *bot) lists(length int) {
	c := b.s.Client()
	for i := range length {
		mobile, pan := fmt.Sprintf("%010d", 9_000_000_000+int64(i)*7919), fmt.Sprintf("ZZZPZ%04dZ", i%10_000)
		if i < len(b.mobiles) {
			mobile, pan = b.mobiles[i], b.ids[i]
		}
		b.look(c.SignedGet(b.k, "/v2/vaccinator/beneficiaries/findByMobile?mobile_number="+mobile))
		b.look(c.SignedGet(b.k, "/v2/vaccinator/beneficiaries/findByIdNumber?photo_id_number="+pan))
		b.look(c.Shown(b.k, harness.StaffViewPath, mobile, ""))
	}
}

// guesses tries booking codes, has one-time codes sent and guesses them, registers victims
// anew, and reads the day's list.
func (b *bot) guesses() {
	c := b.s.Client()
	for i, ref := range b.refs {
		b.look(c.Shown(b.k, harness.StaffViewPath, ref, fmt.Sprintf("code %04d", i)))
		b.look(c.Shown(b.k, harness.StaffViewPath, ref, ""))
		b.look(c.Shown(b.k, harness.StaffCertPath, ref, ""))
		txn := c.Signed(b.k, harness.StaffCodePath, map[string]any{"beneficiary_reference_id": ref})
		b.look(c.Shown(b.k, harness.StaffViewPath, ref, "otp "+txn.Field("txnId")+" "+harness.Digest("123456")))
		again := harness.Person{Name: "Somebody Else", ID: b.ids[i]}.Form()
		again["mobile_number"] = b.mobiles[i]
		b.look(c.Signed(b.k, harness.WalkInPath, again))
		b.look(openRow(b.s, ref))
	}
	b.look(c.Signed(b.k, dayListPath, map[string]any{"center_id": b.day.Centre, "session_id": b.day.Session}))
}

// TestR100Bot is the "Telegram bot": a stolen live vaccinator's session, lists of mobiles
// and id numbers, and everybody's reference number from a captured registry database. It
// counts different people obtained beyond those who came.
func TestR100Bot(t *testing.T) {
	t.Parallel()
	length := 150
	if full() {
		length = 5000
	}
	run(t, "R100", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		b := newBot(t, s, 30)
		b.lists(length)
		b.guesses()
		return len(b.got) > 2, fmt.Sprintf("%d of %d people obtained, %d were served; %d numbers on each list, %d requests", len(b.got), len(b.names)-len(b.served), len(b.served), length, b.asked)
	}})
}
