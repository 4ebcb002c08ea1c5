package redteam

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tikakosh/internal/id"
	"tikakosh/test/harness"
)

// random parts of an answer, each replaced by as many same characters, so that
// a difference in length still shows.
var random = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}` + // UUID
	`|\b[A-Z2-7]{13}\b|\b[A-Z2-7]{26}\b|\b[0-9a-f]{16}\b` + // view references, request ids
	`|\b\d{14}\b` + // reference ids
	`|(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT`)

func masked(raw []byte) string {
	return random.ReplaceAllStringFunc(string(raw), func(s string) string { return strings.Repeat("#", len(s)) })
}

// shape is what an answer shows apart from random parts.
func shape(a harness.Answer) string {
	var names []string
	for n := range a.Header {
		names = append(names, n+"="+masked([]byte(strings.Join(a.Header[n], ","))))
	}
	slices.Sort(names)
	return fmt.Sprint(a.Status, " ", strings.Join(names, " "), " ", masked(a.Body))
}

func post(path, body string) string {
	return fmt.Sprintf("POST /api%s HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", path, len(body), body)
}

func TestR10SameBytes(t *testing.T) {
	t.Parallel()
	run(t, "R10", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		known, unknown := harness.DemoMobile(0), s.Mobile()
		c := s.Client()
		compared := 0
		for _, path := range []string{"/v2/auth/public/generateOTP", "/v2/auth/generateMobileOTP", "/v2/auth/generateOTP", "/v3/vaccination/generateOTP"} {
			ask := func(mobile string) string {
				form := map[string]string{"mobile": mobile, "mobile_number": mobile, "full_name": "Asha Test", "secret": "x"}
				raw, err := json.Marshal(form)
				if err != nil {
					t.Fatal(err)
				}
				return masked(c.Raw(post(path, string(raw))))
			}
			a, b := ask(known), ask(unknown)
			if a != b {
				return true, fmt.Sprintf("%s differs between a registered and an unknown number", path)
			}
			compared += len(a)
		}
		txnK, _ := c.AskCode(known)
		txnU, _ := c.AskCode(unknown)
		wrongAnswer := func(txn string) string {
			return masked(c.Raw(post("/v2/auth/public/confirmOTP", fmt.Sprintf(`{"otp":"%s","txnId":"%s"}`, strings.Repeat("0", 64), txn))))
		}
		if wrongAnswer(txnK) != wrongAnswer(txnU) {
			return true, "a wrong code is answered in two ways"
		}
		return false, fmt.Sprintf("four routes and a wrong code: %d bytes identical but for ids and date", compared)
	}})
}

// knownPeople is how many registered numbers the timings go over.
const knownPeople = 40

func TestR11SameTime(t *testing.T) {
	opt := harness.Options{People: 4 * knownPeople, Args: []string{"--no-limits"}} // a caller of thousands of requests
	run(t, "R11", trial{own: true, base: opt, try: func(t *testing.T, s *harness.Server) (bool, string) {
		pairs := 2000
		if testing.Short() || s.Ablated() {
			pairs = 200
		}
		var known, unknown []string
		for n := range knownPeople {
			known, unknown = append(known, harness.DemoMobile(n)), append(unknown, s.Mobile())
		}
		evidence, different := "", 0
		for range 2 { // a difference must show twice
			a, b := timings(t, s.Client(), known, unknown, pairs)
			p, gap := mannWhitney(a, b), median(a)-median(b)
			evidence = fmt.Sprintf("%d pairs: medians differ by %v, p = %.4f", pairs, gap.Round(time.Microsecond), p)
			if p >= 0.001 || gap.Abs() <= time.Millisecond {
				break
			}
			different++
		}
		return different == 2, evidence
	}})
}

// timings asks for codes of known and unknown numbers in random order over one
// warm connection.
func timings(t *testing.T, c *harness.Client, known, unknown []string, pairs int) (a, b []time.Duration) {
	t.Helper()
	ask := func(mobile string) time.Duration {
		res := c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile})
		if res.Status == http.StatusTooManyRequests || res.Status == http.StatusForbidden {
			t.Fatalf("limited: %s", res.Text())
		}
		return res.Took
	}
	for i := range pairs {
		k, u := known[i%len(known)], unknown[i%len(unknown)]
		if rand.IntN(2) == 0 {
			a = append(a, ask(k))
			b = append(b, ask(u))
		} else {
			b = append(b, ask(u))
			a = append(a, ask(k))
		}
	}
	return a, b
}

func median(x []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

// mannWhitney is the two-sided p value of the rank-sum test with the normal
// approximation and mean ranks for ties (H. B. Mann, D. R. Whitney 1947).
func mannWhitney(a, b []time.Duration) float64 {
	type obs struct {
		v     time.Duration
		first bool
	}
	var all []obs
	for _, v := range a {
		all = append(all, obs{v, true})
	}
	for _, v := range b {
		all = append(all, obs{v, false})
	}
	slices.SortFunc(all, func(x, y obs) int { return int(x.v - y.v) })
	ranks, ties := 0.0, 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].v == all[i].v {
			j++
		}
		mean := float64(i+j+1) / 2
		for _, o := range all[i:j] {
			if o.first {
				ranks += mean
			}
		}
		n := float64(j - i)
		ties += n*n*n - n
		i = j
	}
	n1, n2 := float64(len(a)), float64(len(b))
	n := n1 + n2
	u := ranks - n1*(n1+1)/2
	sigma := math.Sqrt(n1 * n2 / 12 * (n + 1 - ties/(n*(n-1))))
	if sigma == 0 {
		return 1
	}
	return math.Erfc(math.Abs(u-n1*n2/2) / sigma / math.Sqrt2)
}

func TestR11MannWhitney(t *testing.T) {
	shift := func(by time.Duration) (x []time.Duration) {
		r := rand.New(rand.NewPCG(1, uint64(by)))
		for range 500 {
			x = append(x, by+time.Duration(r.ExpFloat64()*1e6))
		}
		return x
	}
	if p := mannWhitney(shift(0), shift(1)); p < 0.01 {
		t.Errorf("same distribution: p = %v", p)
	}
	if p := mannWhitney(shift(0), shift(300*time.Microsecond)); p > 1e-6 {
		t.Errorf("shifted distribution: p = %v", p)
	}
	// Two samples of three without overlap: z = 4.5/sqrt(5.25), p = 0.0495.
	if p := mannWhitney([]time.Duration{1, 2, 3}, []time.Duration{4, 5, 6}); math.Abs(p-0.0495) > 0.0005 {
		t.Errorf("p = %v, want 0.0495", p)
	}
}

// TestR12NoOracle compares, endpoint by endpoint, what concerns a stranger with
// what concerns nobody.
func TestR12NoOracle(t *testing.T) {
	t.Parallel()
	ask := trial{name: "codes", off: []string{"otp-uniform"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		return differs(s.Client(), func(c *harness.Client, mobile string) map[string]harness.Answer {
			out := map[string]harness.Answer{"generateOTP": c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile})}
			if txn := out["generateOTP"].Field("txnId"); txn != "" {
				out["confirmOTP"] = c.Must("POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": strings.Repeat("0", 64), "txnId": txn})
			}
			out["findByMobile"] = c.Must("GET", "/v2/vaccinator/beneficiaries/findByMobile?mobile_number="+mobile, nil, "x-api-key", "x")
			return out
		}, harness.DemoMobile(1), s.Mobile())
	}}
	own := trial{name: "ids", off: []string{"ownership"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		stranger, _ := s.Holder()
		theirs := stranger.Enrol("Asha Test")
		day := s.Later()[0]
		booked, a := stranger.Book(day, 1, theirs)
		if booked == "" {
			t.Fatalf("booking: %s", a.Text())
		}
		me, _ := s.Holder()
		me.Enrol("Ravi Test")
		if yes, evidence := differs(me, func(c *harness.Client, ref string) map[string]harness.Answer {
			_, book := c.Book(s.Later()[1], 1, ref)
			return map[string]harness.Answer{"schedule": book, "certificate": c.Certificate(ref), "delete": c.Remove(ref), "cancel": c.Cancel(booked, ref)}
		}, theirs, string(id.NewReference())); yes {
			return yes, evidence
		}
		if yes, evidence := differs(me, func(c *harness.Client, appointment string) map[string]harness.Answer {
			return map[string]harness.Answer{"slip": c.Slip(appointment), "reschedule": c.Must("POST", "/v2/appointment/reschedule",
				map[string]any{"appointment_id": appointment, "session_id": day.Session, "slot": day.Slot})}
		}, booked, id.New()); yes {
			return yes, evidence
		}
		return differs(me, func(c *harness.Client, pan string) map[string]harness.Answer {
			ref, a := c.TryEnrol(harness.Person{Name: "Meera Test", ID: pan})
			if ref == "" {
				t.Errorf("registration with an id number in use elsewhere or nowhere: %s", a.Text())
			}
			return map[string]harness.Answer{"register": a}
		}, usedID(t, s), s.PAN())
	}}
	run(t, "R12", ask, own, nameOracle())
}

// usedID is an id number that somebody else is registered with.
func usedID(t *testing.T, s *harness.Server) string {
	t.Helper()
	pan := s.PAN()
	other, _ := s.Holder()
	if ref, a := other.TryEnrol(harness.Person{Name: "Asha Test", ID: pan}); ref == "" {
		t.Fatalf("registration: %s", a.Text())
	}
	return pan
}

// differs asks about a stranger's thing and about nothing, and compares.
func differs(c *harness.Client, ask func(*harness.Client, string) map[string]harness.Answer, theirs, nobodys string) (bool, string) {
	a, b := ask(c, theirs), ask(c, nobodys)
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if x, y := shape(a[name]), shape(b[name]); x != y {
			return true, fmt.Sprintf("%s: status %d for a stranger's, %d for nobody's", name, a[name].Status, b[name].Status)
		}
	}
	return false, strings.Join(names, ", ") + ": same answers"
}
