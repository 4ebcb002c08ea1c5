package rules

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"tikakosh/internal/id"
)

func TestParseMobile(t *testing.T) {
	for in, want := range map[string]string{
		"9000000001": "9000000001", "+91 90000 00001": "9000000001", "+91-9000000001": "9000000001", "09000000001": "9000000001",
		"919000000001": "9000000001", "９００００００００１": "9000000001", "९०००००००१२": "9000000012", "৯০০০০০০০০১": "9000000001",
		" 90000.00001 ": "9000000001", "𝟗𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟎𝟏": "9000000001",
		"": "", "12345": "", "5000000001": "", "+19000000001": "", "900000000a": "", "9000000001\x00": "", "+4479000000001": "", "90000000011": "", "\u202a+91\u00a090000\u201100001\u202c": "9000000001",
		"(90000) 00001": "9000000001", "௯௦௦௦௦௦௦௦௦௧": "9000000001", "൯൦൦൦൦൦൦൦൦൧": "9000000001", "꯹꯰꯰꯰꯰꯰꯰꯰꯰꯱": "9000000001", "९00০০০0੦௦1": "9000000001", "++919000000001": "", "+9000000001": "",
		"+0919000000001": "", "0909000000001": "", "900000000\u200b1": "", "900000000\t1": "", "9000000001;": "", "9000000001\xff": "", strings.Repeat("9", 200): "", "①000000000": "", "九000000000": "",
	} {
		got, err := ParseMobile(in, false)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
	if m, err := ParseMobile("0000000001", true); m != "0000000001" || err != nil {
		t.Error("a demo number was refused")
	}
}

func TestNormalizeName(t *testing.T) {
	for in, want := range map[string]string{
		"  Asha   Test ": "Asha Test", "José": "José", "राजेश कुमार": "राजेश कुमार", "क्ष\u200dत्रिय": "", "श्\u200dरी": "श्\u200dरी",
		"தமிழ்ச்செல்வி": "தமிழ்ச்செல்வி", "O'Brien": "O'Brien", "A. P. J. Abdul": "A. P. J. Abdul", "محمد": "محمد",
		"": "", "123": "", "a\u202eb": "", "a\u2066b": "", "a\u200bb": "", "a\x00b": "", "a\nb": "", " a\n": "a", "<b>x</b>": "", "{{x}}": "", "=1+1": "", "😀 a": "",
		"\u0301a": "", "র\u200d\u09cdযাচেল": "র\u200d\u09cdযাচেল", "മോഹന\u0d4d\u200d": "മോഹന\u0d4d\u200d", "علی\u200cخان": "علی\u200cخان",
		"a\u200db": "", "a\u200cb": "", "\u200da": "", "राम\u200c": "", "डॉ॰ ए॰पी॰जे॰ अब्दुल": "डॉ॰ ए॰पी॰जे॰ अब्दुल", "মো: রহিম": "মো: রহিম", "Raju @ Rajendra": "Raju @ Rajendra",
		"@SUM(A1)": "", "-1+a": "", "1a": "", "a 2": "a 2", "a\u3164b": "", "\u1160": "", "a\ufe0f": "", "a\u034f": "", "a\u2800": "", "\u061ca": "", "a\u200e": "",
		"a\u0300\u0301\u0302\u0303\u0304\u0305\u0306\u0307": "", "a.\u0301": "", "क़मर": "क\u093cमर", "ശ്രീ": "ശ്രീ", "ਗੁਰਪ੍ਰੀਤ ਕੌਰ": "ਗੁਰਪ੍ਰੀਤ ਕੌਰ", "ꯃꯅꯤ": "ꯃꯅꯤ", "ᱥᱟᱱᱛᱟᱲ": "ᱥᱟᱱᱛᱟᱲ",
		strings.Repeat("अ", 100): strings.Repeat("अ", 100), strings.Repeat("अ", 101): "", strings.Repeat("a", 101): "", "a\xffb": "", "a\u00adb": "",
	} {
		got, err := NormalizeName(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v, want %q", in, got, err, want)
		}
	}
}

func TestParseIDNumber(t *testing.T) {
	aadhaar := "23456789012"
	aadhaar += string('0' + id.VerhoeffDigit(aadhaar))
	for _, c := range []struct {
		kind     int
		in, want string
	}{
		{1, aadhaar[:4] + " " + aadhaar[4:8] + " " + aadhaar[8:], aadhaar}, {1, aadhaar[:11] + string('0'+(aadhaar[11]-'0'+1)%10), ""},
		{1, "1" + aadhaar[1:], ""}, {6, "abcde1234f", "ABCDE1234F"}, {6, "ABCD1234F", ""}, {6, "ABCDE12345", ""}, {6, "ABCDE1234FG", ""}, {6, "ABCD11234F", ""}, {8, "Z-12 345", "Z12345"}, {2, "DL/०१२३४", "DL01234"}, {99, "ABCDE1234F", ""},
		{6, "a", ""}, {6, "<x>yz", ""}, {6, strings.Repeat("A", 33), ""},
	} {
		got, err := ParseIDNumber(c.kind, c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%d %q: %q %v", c.kind, c.in, got, err)
		}
		if err != nil && len(c.in) > 3 && strings.Contains(err.Error(), c.in) {
			t.Error("the number is in the error")
		}
	}
	if Last4("ABCDE1234F") != "234F" || Last4("AB") != "AB" {
		t.Error("last four")
	}
}

func TestNameKey(t *testing.T) {
	for _, c := range [][2]string{{"Asha Test", "аshа  tеst"}, {"ASHA", "asha"}, {"Asha", "Ａｓｈａ"}, {"O'Brien", "OBrien"}, {"O’Brien", "O`Brien"},
		{"Rene\u0301", "René"}, {"Straße", "STRASSE"}, {"А. Рао", "A Pao"}, {"श्\u200dरी", "श्री"}, {"Ranι", "Rani"}} {
		if NameKey(c[0]) != NameKey(c[1]) {
			t.Errorf("%q and %q differ: %q, %q", c[0], c[1], NameKey(c[0]), NameKey(c[1]))
		}
	}
	for _, c := range [][2]string{{"Asha", "Usha"}, {"राम", "रामा"}, {"कमल", "कमला"}, {"அருண்", "அருணா"}} {
		if NameKey(c[0]) == NameKey(c[1]) {
			t.Errorf("%q and %q are the same", c[0], c[1])
		}
	}
	if utf8.RuneCountInString(confusableFrom) != len(confusableTo) {
		t.Error("the look-alikes do not pair up")
	}
}

// TestDigitsOfEveryScript writes a number in each script's digits.
func TestDigitsOfEveryScript(t *testing.T) {
	n := 0
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !unicode.Is(unicode.Nd, r) {
			continue
		}
		if n++; asciiDigits(string(r)) != string('0'+rune(n-1)%10) {
			t.Fatalf("U+%04X is %q, want %d", r, asciiDigits(string(r)), (n-1)%10)
		}
	}
	if n%10 != 0 || n < 600 {
		t.Errorf("%d digits", n)
	}
}

func TestErrorsKeepSecrets(t *testing.T) {
	const secret = "ZQX7654"
	for name, err := range map[string]error{
		"mobile": second(ParseMobile(secret, false)), "name": second(NormalizeName(secret + "\u202e")), "id": second(ParseIDNumber(1, secret)), "lot": second(ParseLot(secret + "=")),
	} {
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second(_ string, err error) error { return err }

func FuzzParseMobile(f *testing.F) {
	f.Add("+91 90000 00001")
	f.Fuzz(func(t *testing.T, s string) {
		if m, err := ParseMobile(s, true); err == nil {
			if again, err := ParseMobile(m, true); err != nil || again != m || len(m) != 10 {
				t.Fatalf("%q %q", m, again)
			}
		}
	})
}

func FuzzNormalizeName(f *testing.F) {
	f.Add("राजेश  कुमार")
	f.Fuzz(func(t *testing.T, s string) {
		if n, err := NormalizeName(s); err == nil {
			if again, err := NormalizeName(n); err != nil || again != n || !utf8.ValidString(n) || utf8.RuneCountInString(n) > 100 {
				t.Fatalf("%q %q %v", n, again, err)
			}
		}
	})
}

func FuzzParseIDNumber(f *testing.F) {
	f.Add(1, "2345 6789 0124")
	f.Fuzz(func(t *testing.T, kind int, s string) {
		if n, err := ParseIDNumber(kind, s); err == nil {
			if again, err := ParseIDNumber(kind, n); err != nil || again != n {
				t.Fatalf("%q %q %v", n, again, err)
			}
		}
	})
}

func FuzzNameKey(f *testing.F) {
	f.Add("Аsha Tеst")
	f.Add("Ꭽ")
	f.Add("ꭽ ß İ ſ ΐ")
	f.Fuzz(func(t *testing.T, s string) {
		n, err := NormalizeName(s)
		if err != nil {
			return
		}
		k := NameKey(n)
		if k == "" || NameKey(k) != k || NameKey(strings.ToUpper(n)) == "" {
			t.Fatalf("%q: key %q, then %q", n, k, NameKey(k))
		}
	})
}

func FuzzParseLot(f *testing.F) {
	f.Add("4121z-010")
	f.Fuzz(func(t *testing.T, s string) {
		if l, err := ParseLot(s); err == nil {
			if again, err := ParseLot(l); err != nil || again != l || len(l) > 20 {
				t.Fatalf("%q %q", l, again)
			}
		}
	})
}

func TestPrintable(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "PHC No. 5 & Annexe": true, "प्राथमिक स्वास्थ्य केंद्र": true, "ക്\u200d": true, "ක්\u200cෂ": true,
		"a\nb": false, "a\x00": false, "\u202eevil": false, "a\ufeff": false, "\xff": false, strings.Repeat("a", 201): false,
	} {
		if got := Printable(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}
