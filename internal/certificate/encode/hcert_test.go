package encode

import (
	"bytes"
	"compress/zlib"
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fxamacker/cbor/v2"
	"github.com/veraison/go-cose"

	"tikakosh/internal/civil"
	"tikakosh/internal/fault"
)

const longName = "लक्ष्मीनारायण वेंकटसुब्रह्मण्यम श्रीनिवासन"

func TestRoundTripDCC(t *testing.T) {
	s := testSigner(t, 7)
	f := testFacts(t, "COVISHIELD", "Asha Devi", "")
	text := mustEncode(t, f, s)
	v, err := Verify("\n "+text+" \r\n", testKeys(t, s), testTime)
	if err != nil {
		t.Fatal(err)
	}
	want := Verified{
		Carrier: CarrierDCC, KID: s.KID, CI: f.CI, ViewRef: testView, Name: "Asha Devi", NameLatin: "ASHA DEVI", Birth: "1980-02-03",
		Gender: "Female", IDLast4: "4321", Product: ProductOf("COVISHIELD"), Dose: 2, Total: 2, Lot: "4121Z099",
		Given: day(2026, 10, 2), Country: "IN", Issuer: f.Issuer, IssuedAt: testTime, ExpiresAt: testTime.AddDate(1, 0, 0),
	}
	if v != want {
		t.Errorf("\n got %+v\nwant %+v", v, want)
	}
	if again := mustEncode(t, f, s); again != text {
		t.Error("the same facts give another text")
	}
	if len(text) > MaxHC1 || strings.Trim(text, base45Alphabet) != "" {
		t.Errorf("%d characters: %s", len(text), text)
	}
}

func TestRoundTripICVP(t *testing.T) {
	s := testSigner(t, 7)
	f := testFacts(t, "STAMARIL", "रमेश शर्मा", "Ramesh Sharma")
	f.Guardian, f.Gender = "Kamala Devi", "Transgender"
	f.BirthDate = civil.Date{}
	v, err := Verify(mustEncode(t, f, s), testKeys(t, s), testTime)
	if err != nil {
		t.Fatal(err)
	}
	if v.Carrier != CarrierICVP || v.NameLatin != "Ramesh Sharma" || v.Guardian != "Kamala Devi" || v.Birth != "1980" ||
		v.Gender != "Other" || v.Product != ProductOf("STAMARIL") || v.Dose != 2 || v.ValidFrom != day(2026, 10, 12) || v.ViewRef != testView {
		t.Errorf("%+v", v)
	}
	f = testFacts(t, "BCG", "Asha", "")
	if v, err = Verify(mustEncode(t, f, s), testKeys(t, s), testTime); err != nil || v.Product.Name != "BCG" || v.Product.Recognised || v.Vaccinator != "Sunita Rao" {
		t.Errorf("a product without an id: %+v %v", v, err)
	}
}

func TestNewestDoseOfTheRightKind(t *testing.T) {
	s, ks := testSigner(t, 7), testKeys(t, testSigner(t, 7))
	f := testFacts(t, "COVAXIN", "Asha Devi", "")
	f.Doses = append(f.Doses, Dose{Number: 1, Total: 1, Product: "STAMARIL", Lot: "Y1", Given: day(2026, 11, 1)},
		Dose{Number: 3, Total: 2, Product: "CORBEVAX", Lot: "C3", Given: day(2026, 10, 2)})
	dcc, err := CarrierFor("COVAXIN").Encode(f, s)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Verify(dcc, ks, testTime); err != nil || v.Product.Name != "CORBEVAX" || v.Dose != 3 || v.Total != 3 || v.Product.Recognised {
		t.Errorf("booster: %+v %v", v, err)
	}
	icvp, err := CarrierFor("STAMARIL").Encode(f, s)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Verify(icvp, ks, testTime); err != nil || v.Product.Name != "STAMARIL" || v.Lot != "Y1" {
		t.Errorf("%+v %v", v, err)
	}
	if _, err := CarrierFor("COVAXIN").Verify(icvp, ks, testTime); fault.CodeOf(err) != CodeMalformed {
		t.Errorf("a carrier reads another's text: %v", err)
	}
	if _, err := CarrierFor("STAMARIL").Verify(icvp, ks, testTime); err != nil {
		t.Error(err)
	}
	f.Doses = f.Doses[2:3]
	if _, err := CarrierFor("COVAXIN").Encode(f, s); fault.CodeOf(err) != CodeFacts {
		t.Errorf("no COVID dose: %v", err)
	}
	f = testFacts(t, "COVAXIN", "Asha Devi", "")
	if _, err := CarrierFor("STAMARIL").Encode(f, s); fault.CodeOf(err) != CodeFacts {
		t.Errorf("only COVID doses: %v", err)
	}
	if _, err := CarrierFor("COVAXIN").Encode(f, Signer{}); err == nil {
		t.Error("signed without a key")
	}
}

func TestLongTextsAlwaysFit(t *testing.T) {
	s, ks := testSigner(t, 7), testKeys(t, testSigner(t, 7))
	names := [][2]string{
		{"रमेश कुमार शर्मा", "Ramesh Kumar Sharma"}, {longName, "Lakshminarayan Venkatasubramanyam Srinivasan"}, {longName, ""},
		{"பாலசுப்பிரமணியன் கிருஷ்ணமூர்த்தி", ""}, {strings.Repeat("ലക്ഷ്മി ", 40), strings.Repeat("Qzxwvkjy ", 60)}, {strings.Repeat("क्ष", 100), ""},
	}
	for _, product := range []string{"COVISHIELD", "STAMARIL", strings.Repeat("Unknown long product ", 8)} {
		for _, n := range names {
			f := testFacts(t, product, n[0], n[1])
			f.Issuer = strings.Repeat("National Health Authority ", 3)
			f.Guardian = n[0]
			text := mustEncode(t, f, s)
			v, err := Verify(text, ks, testTime)
			if err != nil || len(text) > MaxHC1 || len(v.NameLatin) < 16 || !utf8.ValidString(v.Name) {
				t.Errorf("%d characters, %+v, %v", len(text), v, err)
			}
		}
	}
	// An everyday name is given up by no more than whole words.
	f := testFacts(t, "COVISHIELD", "रमेश कुमार शर्मा", "Ramesh Kumar Sharma")
	v, err := Verify(mustEncode(t, f, s), ks, testTime)
	if err != nil || !strings.HasPrefix("रमेश कुमार शर्मा", v.Name) || v.NameLatin != "RAMESH KUMAR SHARMA" {
		t.Errorf("%+v %v", v, err)
	}
}

func TestVerdicts(t *testing.T) {
	s, other := testSigner(t, 7), testSigner(t, 8)
	f := testFacts(t, "COVISHIELD", "Asha Devi", "")
	text := mustEncode(t, f, s)
	forged := mustEncode(t, f, Signer{Key: other.Key, KID: s.KID})
	ks := testKeys(t, s)
	for name, c := range map[string]struct {
		text string
		keys KeySet
		now  time.Time
		code string
	}{
		"good":            {text, ks, testTime, ""},
		"last second":     {text, ks, f.ExpiresAt.Add(-time.Second), ""},
		"expired":         {text, ks, f.ExpiresAt, CodeExpired},
		"not yet":         {text, ks, testTime.Add(-time.Second), CodeNotYet},
		"unknown key":     {text, testKeys(t, other), testTime, CodeUnknownKey},
		"no keys":         {text, KeySet{}, testTime, CodeUnknownKey},
		"wrong signature": {forged, ks, testTime, CodeSignature},
		"no prefix":       {text[4:], ks, testTime, CodeMalformed},
		"other prefix":    {"HC2:" + text[4:], ks, testTime, CodeMalformed},
		"empty":           {"", ks, testTime, CodeMalformed},
		"cut":             {text[:len(text)-2], ks, testTime, CodeMalformed},
		"too long":        {text + strings.Repeat("0", MaxHC1), ks, testTime, CodeMalformed},
		"inner space":     {text[:9] + "\n" + text[9:], ks, testTime, CodeMalformed},
	} {
		v, err := Verify(c.text, c.keys, c.now)
		if fault.CodeOf(err) != c.code || err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		genuine := c.code == "" || c.code == CodeExpired || c.code == CodeNotYet
		if (v.Name != "") != genuine {
			t.Errorf("%s: facts %+v", name, v)
		}
	}
}

// TestAnyChangedCharacterIsRefused tries every character in every place.
func TestAnyChangedCharacterIsRefused(t *testing.T) {
	s := testSigner(t, 7)
	ks := testKeys(t, s)
	text := []byte(mustEncode(t, testFacts(t, "COVISHIELD", "रमेश शर्मा", "Ramesh Sharma"), s))
	tried := 0
	for i := range text {
		was := text[i]
		for _, c := range []byte(base45Alphabet + "a\x00") {
			if c == was || i == len(text)-1 && c == ' ' { // a space at the end is trimmed: shorter, malformed too
				continue
			}
			text[i] = c
			tried++
			if _, err := Verify(string(text), ks, testTime); err == nil {
				t.Errorf("character %d changed from %q to %q: accepted", i, was, c)
			}
		}
		text[i] = was
	}
	if tried < 20000 {
		t.Errorf("only %d changes tried", tried)
	}
}

// craft signs a payload in a message whose outside the test decides.
func craft(t *testing.T, s Signer, protected, unprotected, payload any, tag uint64) []byte {
	t.Helper()
	enc := func(v any) []byte {
		if raw, ok := v.([]byte); ok {
			return raw
		}
		b, err := encodeCBOR(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	p, body := enc(protected), enc(payload)
	sig, err := s.sign(toBeSigned(p, body))
	if err != nil {
		t.Fatal(err)
	}
	return enc(cbor.Tag{Number: tag, Content: []any{p, unprotected, body, sig}})
}

func pack(raw []byte) string { return hc1Prefix + encodeBase45(compress(raw, max(0, len(raw)-64))) }

// TestStrictReading signs, with the right key, messages that are not ours in
// one point each.
func TestStrictReading(t *testing.T) {
	s := testSigner(t, 7)
	ks := testKeys(t, s)
	good, err := dccClaim{}.build(testFacts(t, "COVISHIELD", "Asha Devi", ""), fits()[0])
	if err != nil {
		t.Fatal(err)
	}
	type m = map[any]any
	alg := m{1: -7, 4: s.KID[:]}
	variant := func(change func(*cwt, *dcc)) cwt {
		c, d := good, *good.HCert.DCC
		d.V = append([]dccV(nil), d.V...)
		c.HCert.DCC = &d
		change(&c, &d)
		return c
	}
	plainPayload, err := encodeCBOR(good)
	if err != nil {
		t.Fatal(err)
	}
	duplicate := append([]byte{plainPayload[0] + 1, 1, 0x62, 'I', 'N'}, plainPayload[1:]...)
	base := pack(craft(t, s, alg, m{}, good, 18))
	if _, err := Verify(base, ks, testTime); err != nil {
		t.Fatalf("the crafted base is refused: %v", err)
	}
	raw := craft(t, s, alg, m{}, good, 18)
	var recompressed bytes.Buffer
	w := zlib.NewWriter(&recompressed)
	w.Write(raw)
	w.Close()
	padded := compress(raw, len(raw)-64)
	padded[len(padded)-5] |= 0x80
	for name, text := range map[string]string{
		"other compressor":   hc1Prefix + encodeBase45(recompressed.Bytes()),
		"deflate padding":    hc1Prefix + encodeBase45(padded),
		"kid outside":        pack(craft(t, s, m{1: -7}, m{4: s.KID[:]}, good, 18)),
		"kid twice":          pack(craft(t, s, alg, m{4: s.KID[:]}, good, 18)),
		"algorithm outside":  pack(craft(t, s, m{4: s.KID[:]}, m{1: -7}, good, 18)),
		"algorithm ES384":    pack(craft(t, s, m{1: -35, 4: s.KID[:]}, m{}, good, 18)),
		"algorithm PS256":    pack(craft(t, s, m{1: -37, 4: s.KID[:]}, m{}, good, 18)),
		"short kid":          pack(craft(t, s, m{1: -7, 4: s.KID[:4]}, m{}, good, 18)),
		"more headers":       pack(craft(t, s, m{1: -7, 3: 0, 4: s.KID[:]}, m{}, good, 18)),
		"other tag":          pack(craft(t, s, alg, m{}, good, 98)),
		"trailing bytes":     pack(append(craft(t, s, alg, m{}, good, 18), 0)),
		"duplicate key":      pack(craft(t, s, alg, m{}, duplicate, 18)),
		"unknown key":        pack(craft(t, s, alg, m{}, m{1: "IN", 4: 2, 6: 1, 99: 1}, 18)),
		"payload no map":     pack(craft(t, s, alg, m{}, []int{1}, 18)),
		"deep":               pack(craft(t, s, alg, m{}, []any{[]any{[]any{[]any{[]any{[]any{[]any{1}}}}}}}, 18)),
		"no claim":           pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { c.HCert.DCC = nil }), 18)),
		"two claims":         pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { c.HCert.ICVP = &icvp{Name: "A"} }), 18)),
		"no entry":           pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.V = nil }), 18)),
		"two entries":        pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.V = append(d.V, d.V[0]) }), 18)),
		"version":            pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.Version = "2.0.0" }), 18)),
		"machine name":       pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.Name.FNT = "asha" }), 18)),
		"control character":  pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.Name.FN = "A\x1b[2J" }), 18)),
		"bidi character":     pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.Name.FN = "A\u202eB" }), 18)),
		"long field":         pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.Name.FN = strings.Repeat("x", 81) }), 18)),
		"dose zero":          pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.V[0].DN = 0 }), 18)),
		"dose above series":  pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.V[0].DN = 9 }), 18)),
		"day":                pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.V[0].DT = "2026-02-30" }), 18)),
		"identifier":         pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.V[0].CI = "URN:UVCI:01:IN:X" }), 18)),
		"lower country":      pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { d.V[0].CO = "xx" }), 18)),
		"ends before begins": pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { c.Expires = c.IssuedAt }), 18)),
		"no issue time":      pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { c.IssuedAt = 0 }), 18)),
		"gender":             pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { c.Own.Gender = "Q" }), 18)),
		"identifier twice":   pack(craft(t, s, alg, m{}, variant(func(c *cwt, d *dcc) { c.ID = []byte("x") }), 18)),
	} {
		if _, err := Verify(text, ks, testTime); fault.CodeOf(err) != CodeMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The second form of a valid signature is refused as a signature.
	msg, err := DecodeHC1(base)
	if err != nil {
		t.Fatal(err)
	}
	high := bytes.Clone(msg.sig)
	n := elliptic.P256().Params().N
	new(big.Int).Sub(n, new(big.Int).SetBytes(high[32:])).FillBytes(high[32:])
	text, err := assemble(s.KID, msg.payload, high)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(text, ks, testTime); fault.CodeOf(err) != CodeSignature {
		t.Errorf("second form of the signature: %v", err)
	}
}

// TestGoCoseReadsIt verifies with another author's COSE and checks the claims
// in a generic CBOR decoding, without this package's types.
func TestGoCoseReadsIt(t *testing.T) {
	s := testSigner(t, 7)
	for product, claimKey := range map[string]int64{"COVISHIELD": 1, "STAMARIL": -6} {
		text := mustEncode(t, testFacts(t, product, longName, "Lakshmi Narayan"), s)
		packed, err := decodeBase45(text[4:])
		if err != nil {
			t.Fatal(err)
		}
		var msg cose.Sign1Message
		if err := msg.UnmarshalCBOR(unzlib(t, packed)); err != nil {
			t.Fatal(err)
		}
		verifier, err := cose.NewVerifier(cose.AlgorithmES256, s.Key.Public().(*ecdsa.PublicKey))
		if err != nil {
			t.Fatal(err)
		}
		if err := msg.Verify(nil, verifier); err != nil {
			t.Errorf("%s: %v", product, err)
		}
		if kid, _ := msg.Headers.Protected[cose.HeaderLabelKeyID].([]byte); string(kid) != string(s.KID[:]) {
			t.Errorf("key id %x", kid)
		}
		var claims map[int64]any
		if err := cbor.Unmarshal(msg.Payload, &claims); err != nil {
			t.Fatal(err)
		}
		if claims[1] != "IN" || claims[4] != uint64(testTime.AddDate(1, 0, 0).Unix()) || claims[6] != uint64(testTime.Unix()) {
			t.Errorf("%v", claims)
		}
		body, _ := claims[-260].(map[any]any)[claimKey].(map[any]any)
		if claimKey == 1 {
			body, _ = claims[-260].(map[any]any)[uint64(1)].(map[any]any)
		}
		if body["dob"] != "1980-02-03" {
			t.Errorf("%s: claim %v", product, claims[-260])
		}
		msg.Payload[len(msg.Payload)-1] ^= 1
		if msg.Verify(nil, verifier) == nil {
			t.Error("an altered payload passes")
		}
	}
}

// TestFrozenText holds the whole encoding to a text once issued.
func TestFrozenText(t *testing.T) {
	const issued = "HC1:NCFJR3ZY93PO/20 B53IEX1IINJ3UER3Q-NVEQC:U2HE34*H/.FCB6M0LO-MZVRZFDL$05-4NCOB74P5P5HNO42OYO3ZR%*SAFUL.FH%DWYOZ8CC8PE8O+4UMWT2:KVHKDVQ%2B+7KI1VD1VPWTD8DIMTAEF8ORL:4P$OQ2E 5NLMP-SD96213LGWR3VENVD LSRPEEPA0P6BTR%GLC/SJ IUF4RJL8A44.Q.YL+S9/NMX13MB5-R6EIGNS0S-95 Q/R87EQ4GKH-AL1PH8JKZJ:S4IQ31*SE*3/ZELT11/FUPP+PSX 30PJ6F4*.335LPUJD 01SHSK1E 68WV$6FD41X$1CEL4TI.4SQ+BJ71G*QBPOHQ7HKFBL2LL5*DCK/1E SBQV1VEA%3 TAUZTO-B%E1$6NKRD%43%89Y%TQ22%7NLZQD9LIXNBXFQQVN:GLK6WZ6VD6-5V5+KQMH35MPMMDL7$Y6 UTC:RH-NX3A$CI9W4KSRD2WPYKR1QVK1W5ERI1FCIK1ASG5/3NSEV.BSNE9930/93*0"
	s := testSigner(t, 7)
	if _, err := Verify(issued, testKeys(t, s), testTime); err != nil {
		t.Errorf("a certificate in people's hands no longer verifies: %v", err)
	}
	if got := mustEncode(t, testFacts(t, "COVISHIELD", "Asha Devi", ""), s); got != issued {
		t.Errorf("the encoding changed:\n got %s\nwant %s", got, issued)
	}
}

func FuzzDecodeHC1(f *testing.F) {
	s := testSigner(f, 7)
	ks := testKeys(f, s)
	for _, p := range []string{"COVISHIELD", "STAMARIL"} {
		f.Add(mustEncode(f, testFacts(f, p, "Asha Devi", ""), s))
	}
	f.Add("HC1:")
	f.Add("HC1:NCF0")
	f.Fuzz(func(t *testing.T, text string) {
		m, err := DecodeHC1(text)
		if err != nil {
			if fault.CodeOf(err) != CodeMalformed {
				t.Errorf("%v", err)
			}
			return
		}
		if again, err := assemble(m.kid, m.payload, m.sig); err != nil || again != strings.TrimSpace(text) {
			t.Error("a second spelling is accepted")
		}
		_, _ = m.Open(ks, testTime)
	})
}

func BenchmarkHC1(b *testing.B) {
	s := testSigner(b, 7)
	ks := testKeys(b, s)
	f := testFacts(b, "COVISHIELD", "रमेश कुमार शर्मा", "Ramesh Kumar Sharma")
	text := mustEncode(b, f, s)
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			mustEncode(b, f, s)
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if _, err := Verify(text, ks, testTime); err != nil {
				b.Fatal(err)
			}
		}
	})
}
