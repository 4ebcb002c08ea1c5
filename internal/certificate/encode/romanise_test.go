package encode

import (
	"strings"
	"testing"
)

func TestRomanise(t *testing.T) {
	for in, want := range map[string]string{
		// Devanagari: final and medial schwa, conjuncts, nasals, nukta.
		"रमेश": "RAMESH", "जगदीश": "JAGDISH", "कृष्ण": "KRISHNA", "कुमार": "KUMAR", "शर्मा": "SHARMA", "लक्ष्मी": "LAKSHMI",
		"ज्ञानेश्वर": "GYANESHVAR", "संजय": "SANJAY", "अमरनाथ": "AMARNATH", "मनमोहन": "MANMOHAN", "कमलेश": "KAMLESH", "अंबा": "AMBA",
		"फ़िरोज़": "FIROZ", "लड़का": "LARKA", "रामचन्द्र": "RAMCHANDRA", "दुःख": "DUHKH", "ऋषि": "RISHI", "व": "VA",
		// The same letters in other blocks.
		"রমেশ": "RAMESH", "সুব্রত": "SUBRAT", "মুখোপাধ্যায়": "MUKHOPADHYAY", "রমেন ৰাভা": "RAMEN RABHA", "રમેશભાઈ": "RAMESHBHAI", "ਸਿੰਘ": "SINGH", "ਗੁਰਪ੍ਰੀਤ": "GURAPRIT",
		// Scripts that keep the inherent vowel.
		"கண்ணன்": "KANNAN", "முருகன்": "MURUKAN", "தமிழ்": "TAMIZH", "వెంకటేశ్వర": "VENKATESHVARA", "ಮಂಜುನಾಥ": "MANJUNATHA", "ശ്രീകുമാർ": "SHRIKUMAR", "ରମେଶ": "RAMESHA",
		// Everything else passes.
		"Asha": "Asha", "": "", "م": "م", "राम2": "RAM2",
	} {
		if got := Romanise(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestICAOName(t *testing.T) {
	for in, want := range map[string]string{
		"Asha Devi":           "ASHA<DEVI",
		"  Jean-Luc  D'Arc. ": "JEAN<LUC<DARC",
		"José Müller":         "JOSE<MUELLER",
		"Ærøskøbing Åse Þór":  "AEROESKOEBING<AASE<THOR",
		"Łukasz Straße":       "LUKASZ<STRASSE",
		"R. K. Narayan 3rd":   "R<K<NARAYAN<RD",
		"रमेश कुमार शर्मा": "RAMESH<KUMAR<SHARMA",
		"محمد": "X",
		"123":  "X",
		"":     "X",
	} {
		if got := ICAOName(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
	if got := clipICAO("ASHA<DEVI", 5); got != "ASHA" {
		t.Errorf("clip: %s", got)
	}
}

func FuzzICAOName(f *testing.F) {
	for _, s := range []string{"रमेश", "ਸਿੰਘ", "ശ്രീകുമാർ", "\u094d", "\u200d\u0902", "क\u200cA", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := ICAOName(s)
		if got == "" || !isICAO(got) || strings.Contains(got, "<<") || got[0] == '<' || got[len(got)-1] == '<' {
			t.Errorf("%q: %q", s, got)
		}
	})
}
