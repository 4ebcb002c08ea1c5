package notify

import (
	"regexp"
	"strings"

	"tikakosh/internal/ablate"
	"tikakosh/internal/fault"
)

// A template is fixed text with named places. What may stand in a place is
// checked, so that no caller's words can reach a message (defence.md R14).
type template struct {
	en, hi string
	places map[string]*regexp.Regexp
}

// templates is the message catalogue; English and Hindi are complete. The code
// comes first and the last line is bound to the host (web.md 9, rows 2 and 3).
func templates() map[string]template {
	date := regexp.MustCompile(`^\d{2}-\d{2}-\d{4}$`)
	slot := regexp.MustCompile(`^[0-9:APMOREN -]{1,24}$`)
	return map[string]template{
		"code": {
			en:     "{code} is your code for Tikakosh. It is valid for 3 minutes. Share it with nobody.",
			hi:     "{code} टीकाकोष के लिए आपका कोड है। यह 3 मिनट तक मान्य है। इसे किसी को न बताएँ।",
			places: map[string]*regexp.Regexp{"code": regexp.MustCompile(`^\d{6}$`), "host": regexp.MustCompile(`^[a-z0-9.-]{0,64}$`)},
		},
		"booking": {
			en:     "Your appointment is on {date}, {slot}. Security code {code}: show it at the centre before the dose, to nobody else.",
			hi:     "आपका समय {date}, {slot} है। सुरक्षा कोड {code}: टीके से पहले केवल केंद्र पर दिखाएँ।",
			places: map[string]*regexp.Regexp{"date": date, "slot": slot, "code": regexp.MustCompile(`^\d{4}$`)},
		},
		"dose": {
			en:     "A new entry was added to your record in Tikakosh. Sign in to see it. If this is wrong, tell your centre.",
			hi:     "टीकाकोष में आपके रिकॉर्ड में एक नई प्रविष्टि जोड़ी गई है। देखने के लिए साइन इन करें। यदि यह गलत है तो अपने केंद्र को बताएँ।",
			places: map[string]*regexp.Regexp{},
		},
	}
}

// Compose fills a template; fault.Internal for an unknown template, a missing
// place or a value that does not fit its place. Languages other than Hindi get
// English.
func Compose(name, language string, params map[string]string) (string, error) {
	t, ok := templates()[name]
	if !ok {
		return "", fault.New(fault.Internal, "template", "no such message template")
	}
	text := t.en
	if strings.HasPrefix(language, "hi") {
		text = t.hi
	}
	for place, form := range t.places {
		v := params[place]
		if !form.MatchString(v) {
			return "", fault.New(fault.Internal, "template", "a value does not fit its place in a message")
		}
		text = strings.ReplaceAll(text, "{"+place+"}", v)
	}
	if ablate.Off(ablate.SMSFixedText) {
		text += " " + language // a caller's words in a message
	}
	if host := params["host"]; host != "" {
		text += "\n\n@" + host + " #" + params["code"]
	}
	return text, nil
}
