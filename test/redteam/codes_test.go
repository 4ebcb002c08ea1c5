package redteam

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tikakosh/test/harness"
)

// wrong is a code that differs from the right one, another for each i.
func wrong(code string, i int) string {
	digits := []byte(code)
	digits[i%6] = '0' + (digits[i%6]-'0'+byte(1+i/6%9))%10
	return string(digits)
}

func TestR01FourthTry(t *testing.T) {
	t.Parallel()
	run(t, "R01", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		c := s.Client()
		txn, code := c.Code(s.Mobile())
		for i := range 3 {
			if bearer, _ := c.Confirm(txn, wrong(code, i)); bearer != "" {
				t.Fatal("a wrong code was taken")
			}
		}
		bearer, a := c.Confirm(txn, code)
		return bearer != "", fmt.Sprintf("right code after three wrong ones: status %d", a.Status)
	}})
}

func TestR02SixthCode(t *testing.T) {
	t.Parallel()
	run(t, "R02", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		c, mobile := s.Client(), s.Mobile()
		for range 5 {
			c.Code(mobile)
		}
		_, a := c.AskCode(mobile)
		got := len(s.AwaitMessages(mobile, 5, 700*time.Millisecond))
		return got > 5, fmt.Sprintf("%d codes sent to one number; the sixth request: status %d", got, a.Status)
	}})
}

func TestR03Spray(t *testing.T) {
	t.Parallel()
	run(t, "R03", trial{own: true, base: harness.Options{Args: []string{"--failed-guess-alarm", "10", "--failed-guess-limit", "20"}},
		try: func(t *testing.T, s *harness.Server) (bool, string) {
			guesses := 0
			for range 25 {
				c := s.Client()
				txn, _ := c.AskCode(s.Mobile())
				if txn == "" {
					break
				}
				c.Confirm(txn, "000000")
				guesses++
			}
			mobile := s.Mobile()
			_, a := s.Client().AskCode(mobile)
			sent := len(s.AwaitMessages(mobile, 0, 700*time.Millisecond))
			return sent > 0, fmt.Sprintf("after %d wrong answers from as many networks a new request without work: status %d, %d messages", guesses, a.Status, sent)
		}})
}

func TestR04SpentCode(t *testing.T) {
	t.Parallel()
	run(t, "R04", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		c := s.Client()
		txn, code := c.Code(s.Mobile())
		first, _ := c.Confirm(txn, code)
		second, a := c.Confirm(txn, code)
		if _, own := c.With(first).TryBeneficiaries(); !own.OK() {
			t.Errorf("the first session was harmed: %s", own.Text())
		}
		return second != "", fmt.Sprintf("second use: status %d", a.Status)
	}})
}

func TestR05LateCode(t *testing.T) {
	t.Parallel()
	run(t, "R05", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		c := s.Client()
		inTime, code := c.Code(s.Mobile())
		s.SetClock(179 * time.Second)
		if bearer, a := c.Confirm(inTime, code); bearer == "" {
			t.Fatalf("refused after 179 s: %s", a.Text())
		}
		txn, code := c.Code(s.Mobile())
		s.SetClock((179 + 181) * time.Second)
		body := map[string]any{"otp": harness.Digest(code), "txnId": txn}
		date := time.Now().UTC().Format(http.TimeFormat)
		back := c.Must("POST", "/v2/auth/public/confirmOTP", body, "Date", date, "X-Client-Time", date)
		bearer, a := c.Confirm(txn, code)
		return bearer != "" || back.Field("token") != "", fmt.Sprintf("after 181 s: status %d, with an earlier client date: %d", a.Status, back.Status)
	}})
}

func TestR06SwappedTransaction(t *testing.T) {
	t.Parallel()
	run(t, "R06", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		c := s.Client()
		_, codeA := c.Code(s.Mobile())
		txnB, codeB := c.Code(s.Mobile())
		for codeA == codeB {
			txnB, codeB = c.Code(s.Mobile())
		}
		bearer, a := c.Confirm(txnB, codeA)
		return bearer != "", fmt.Sprintf("code of A with the transaction of B: status %d", a.Status)
	}})
}

// TestR07OtherDevice: on the API the secret transaction id binds a code to the
// device that asked for it.
func TestR07OtherDevice(t *testing.T) {
	t.Parallel()
	relayed := trial{name: "relayed", off: []string{"otp-device"}, try: func(_ *testing.T, s *harness.Server) (bool, string) {
		victim, attacker, key := s.Client(), s.Client(), s.DeviceKey()
		txn, code := victim.CodeOn(key, s.Mobile())
		bearer, a := attacker.Confirm(txn, code)
		other, b := attacker.ConfirmOn(s.DeviceKey(), txn, code)
		return bearer != "" || other != "", fmt.Sprintf("transaction and code that were asked for on a device, from elsewhere: %d without a key, %d with another", a.Status, b.Status)
	}}
	run(t, "R07", relayed, trial{off: []string{"otp-binding"}, try: func(t *testing.T, s *harness.Server) (bool, string) {
		victim, attacker, mobile := s.Client(), s.Client(), s.Mobile()
		txnV, seen := victim.Code(mobile)
		txnA, own := attacker.Code(mobile)
		for own == seen {
			txnA, own = attacker.Code(mobile)
		}
		bearer, a := attacker.Confirm(txnA, seen)
		if bearer == "" {
			// The victim's own sign-in goes on, and nothing the server handed to the
			// attacker's device (a cookie, say) changes whose session it is.
			if still, b := victim.Confirm(txnV, seen); still == "" {
				t.Errorf("the victim can no longer sign in: %s", b.Text())
			}
		}
		return bearer != "", fmt.Sprintf("the victim's code in the attacker's own transaction: status %d", a.Status)
	}})
}

// warm opens n connections at once, so that a later burst arrives together.
func warm(c *harness.Client, n int) {
	together(n, func(int) { _, _ = c.Do("GET", "/v2/admin/location/states", nil) })
}

// together runs f n times, all released at one moment.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-gate
			f(i)
		})
	}
	close(gate)
	wg.Wait()
}

func TestR08ParallelCode(t *testing.T) {
	run(t, "R08", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		const parallel = 100
		most := 0
		for range 5 {
			c := s.Client() // a network each: wrong answers of one are counted
			warm(c, parallel)
			txn, code := c.Code(s.Mobile())
			body := map[string]any{"otp": harness.Digest(code), "txnId": txn}
			var taken atomic.Int64
			together(parallel, func(int) {
				if a, err := c.Do("POST", "/v2/auth/public/confirmOTP", body); err == nil && a.Field("token") != "" {
					taken.Add(1)
				}
			})
			most = max(most, int(taken.Load()))
			if taken.Load() == 0 {
				t.Error("the right code was refused every time")
			}
			if most > 1 {
				break
			}
		}
		return most > 1, fmt.Sprintf("%d parallel answers with the right code: at most %d sessions", parallel, most)
	}})
}

func TestR09ParallelGuesses(t *testing.T) {
	run(t, "R09", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		const parallel = 12
		c := s.Client()
		warm(c, parallel)
		for range 5 {
			txn, code := c.Code(s.Mobile())
			together(parallel, func(i int) {
				_, _ = c.Do("POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": harness.Digest(wrong(code, i)), "txnId": txn})
			})
			if bearer, _ := c.Confirm(txn, code); bearer != "" {
				return true, fmt.Sprintf("the right code was still taken after %d parallel wrong ones", parallel)
			}
		}
		return false, fmt.Sprintf("five times %d parallel wrong codes, then the right one: refused", parallel)
	}})
}

func TestR13CodeTypes(t *testing.T) {
	t.Parallel()
	run(t, "R13", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		c := s.Client()
		ask := func(otp func(code string) any) harness.Answer {
			txn, code := s.Client().Code(s.Mobile())
			return c.Must("POST", "/v2/auth/public/confirmOTP", map[string]any{"otp": otp(code), "txnId": txn})
		}
		several := ask(func(code string) any {
			var all []string
			for i := range 2 { // a third wrong one would end the code
				all = append(all, harness.Digest(wrong(code, i)))
			}
			return append(all, harness.Digest(code))
		})
		evidence := fmt.Sprintf("three codes in one array: status %d", several.Status)
		if several.Field("token") != "" || s.Ablated() {
			return several.Field("token") != "", evidence
		}
		for name, otp := range map[string]func(string) any{
			"one code in an array": func(code string) any { return []string{harness.Digest(code)} },
			"null":                 func(string) any { return nil },
			"number":               func(string) any { return 123456 },
			"object":               func(code string) any { return map[string]string{"$eq": harness.Digest(code)} },
			"boolean":              func(string) any { return true },
			"a million digits":     func(string) any { return strings.Repeat("1", 1_000_000) },
			"leading zeros":        func(code string) any { return "00" + harness.Digest(code) },
			"plain code":           func(code string) any { return code },
			"full-width digits":    func(code string) any { return harness.Digest(fullWidth(code)) },
			"trailing newline":     func(code string) any { return harness.Digest(code) + "\n" },
			"empty":                func(string) any { return "" },
		} {
			if a := ask(otp); a.Field("token") != "" {
				return true, name + " was taken"
			} else if a.Status < 400 || a.Status >= 500 {
				t.Errorf("%s: status %d, want a 4xx", name, a.Status)
			}
		}
		return false, evidence + "; 11 other types and forms: refused"
	}})
}

func fullWidth(digits string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '０'
		}
		return r
	}, digits)
}

func devanagari(digits string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '०'
		}
		return r
	}, digits)
}

// TestR14MessageText tries to get a link into a message.
func TestR14MessageText(t *testing.T) {
	t.Parallel()
	run(t, "R14", trial{own: true, try: func(t *testing.T, s *harness.Server) (bool, string) {
		const link = "evil.example"
		text := "en\n http://" + link + "/pay"
		flat := strings.ReplaceAll(text, "\n", "")
		mobile := s.Mobile()
		c := s.Client()
		header := []string{"Accept-Language", flat, "X-Forwarded-Host", link, "Host", link, "Origin", "http://" + link, "Referer", "http://" + link + "/"}
		a := c.Must("POST", "/v2/auth/public/generateOTP", map[string]any{"mobile": mobile, "language": text, "lang": text, "locale": text,
			"name": text, "text": text, "message": text, "template": text}, header...)
		got := s.AwaitMessages(mobile, 0, 10*time.Second)
		if len(got) == 0 {
			t.Fatalf("no message came: %s", a.Text())
		}
		bearer, _ := c.Confirm(a.Field("txnId"), got[0].Code())
		holder := c.With(bearer)
		ref, _ := holder.TryEnrol(harness.Person{Name: "Win " + link})
		if ref == "" {
			ref = holder.Enrol("Asha Test")
		}
		d := s.Later()[0]
		b := holder.Must("POST", "/v2/appointment/schedule", map[string]any{"dose": 1, "session_id": d.Session, "slot": d.Slot, "beneficiaries": []string{ref},
			"language": text, "message": text, "captcha": text}, header...)
		if !b.OK() {
			t.Fatalf("booking: %s", b.Text())
		}
		all := s.AwaitMessages(mobile, 1, 5*time.Second)
		for _, m := range all {
			if strings.Contains(m.Text, link) || strings.ContainsAny(m.Text, "\r\x1b") {
				return true, fmt.Sprintf("one of %d messages holds the attacker's text", len(all))
			}
		}
		return false, fmt.Sprintf("%d messages (code, booking), none with the attacker's text", len(all))
	}})
}

func TestR84Unicode(t *testing.T) {
	t.Parallel()
	run(t, "R84", trial{try: func(t *testing.T, s *harness.Server) (bool, string) {
		mobile := s.Mobile()
		c := s.Client()
		for range 5 {
			c.Code(mobile)
		}
		sent := func() (n int) {
			for _, m := range s.Messages() {
				if strings.HasSuffix(asciiDigits(m.To), mobile) {
					n++
				}
			}
			return n
		}
		for _, form := range []string{"+91" + mobile, "91" + mobile, "0" + mobile, mobile[:5] + " " + mobile[5:], fullWidth(mobile), devanagari(mobile),
			mobile + "\u200b", "\u202a" + mobile, "+91-" + mobile} {
			c.AskCode(form)
		}
		time.Sleep(700 * time.Millisecond)
		if n := sent(); n > 5 {
			return true, fmt.Sprintf("%d codes sent to one number by writing it in other ways", n)
		}
		if !s.Ablated() {
			namesAreKept(t, s)
		}
		return false, "nine other ways to write a number that has had its five codes: none sent"
	}})
}

func asciiDigits(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r >= '०' && r <= '९':
			return r - '०' + '0'
		case r >= '0' && r <= '9':
			return r
		}
		return -1
	}, s)
}

// namesAreKept: genuine names of India's scripts are taken and come back in
// NFC; what turns the direction of text or hides in it does not come back.
func namesAreKept(t *testing.T, s *harness.Server) {
	t.Helper()
	genuine := []string{"अनिल कुमार", "প্রিয়া দাস", "ਗੁਰਪ੍ਰੀਤ ਕੌਰ", "પ્રિયા પટેલ", "ପ୍ରିୟା ଦାସ", "தமிழ்ச்செல்வி", "శ్రీనివాస్", "ಶ್ರೀಕಾಂತ್", "മാലതി", "محمد علی", "O'Brien D'Souza-Rao", "क्\u200dष Test"}
	for len(genuine) > 0 {
		c, _ := s.Holder()
		n := min(6, len(genuine))
		for _, name := range genuine[:n] {
			if ref, a := c.TryEnrol(harness.Person{Name: name}); ref == "" {
				t.Errorf("the genuine name %q was refused: %s", name, a.Text())
			}
		}
		genuine = genuine[n:]
	}
	c, _ := s.Holder()
	const nfd, nfc = "Rene\u0301e Test", "Renée Test"
	c.Enrol(nfd)
	for _, hidden := range []string{"Asha\u202e tseT", "Asha\u200b Test", "Asha\u0000Test", "Asha\u2066Test"} {
		c.TryEnrol(harness.Person{Name: hidden}) // refused, or taken without it
	}
	seen := false
	for _, p := range c.Beneficiaries() {
		seen = seen || p.Name == nfc
		if strings.ContainsAny(p.Name, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u0000") {
			t.Errorf("a name came back with hidden characters: %q", p.Name)
		}
	}
	if !seen {
		t.Errorf("a decomposed name did not come back composed")
	}
	id := s.PAN()
	c2, _ := s.Holder()
	if _, a := c2.TryEnrol(harness.Person{Name: "Asha Test", ID: id}); !a.OK() {
		t.Fatalf("registration: %s", a.Text())
	}
	for _, form := range []string{strings.ToLower(id), id[:5] + " " + id[5:], id[:5] + fullWidth(id[5:9]) + id[9:]} {
		if ref, _ := c2.TryEnrol(harness.Person{Name: "Asha Again", ID: form}); ref != "" {
			t.Errorf("one id number written in another way was registered twice in a household")
		}
	}
}
