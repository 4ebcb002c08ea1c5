package rules

import "tikakosh/internal/civil"

// ConsentText is one published version of what a person agrees to. A version is
// never changed; another wording is another version.
type ConsentText struct {
	Version string
	Purpose string
	From    civil.Date
	Text    string
	TextHi  string
}

// Consents lists every published version, oldest first. CoWIN's clients send "1".
func Consents() []ConsentText {
	return []ConsentText{{Version: "1", Purpose: "registration", From: on(2026, 1, 1),
		Text: "My name, year or date of birth, gender, kind of identity document and its last four digits, and the doses I am given are kept, sealed, to vaccinate me and to prove it. " +
			"The document's number itself is not kept. I see every opening of my record, and can delete the registration until the first dose.",
		TextHi: "मेरा नाम, जन्म का वर्ष या तारीख, लिंग, पहचान पत्र का प्रकार और उसके अंतिम चार अंक, और मुझे लगी खुराकें मुहरबंद रखी जाती हैं, ताकि मुझे टीका लगाया जा सके और उसका प्रमाण दिया जा सके। " +
			"पहचान पत्र का नंबर स्वयं नहीं रखा जाता। मेरे रिकॉर्ड का हर खोला जाना मुझे दिखता है, और पहली खुराक तक मैं पंजीकरण हटा सकता/सकती हूँ।"}}
}

// PublishedConsent reports whether a version was published.
func PublishedConsent(version string) bool {
	for _, c := range Consents() {
		if c.Version == version {
			return true
		}
	}
	return false
}
