// Package rules holds the pure rules of the registry: who may have which dose
// when, what a name, mobile or id number looks like, and the lists people
// choose from. It knows no storage and no clock.
package rules

// Choice is one entry of a list people choose from, in English and Hindi.
type Choice struct {
	ID     int
	Text   string
	TextHi string
}

// Genders are CoWIN's (contract.md 1.3).
func Genders() []Choice {
	return []Choice{{1, "Male", "पुरुष"}, {2, "Female", "महिला"}, {3, "Others", "अन्य"}}
}

// The id types that the registry's own code knows by number.
const (
	IDAadhaar  = 1
	IDPAN      = 6
	IDPassport = 8
	IDVoter    = 12
	IDUDID     = 14
	IDStudent  = 15
)

// IDTypes are the documents of contract.md 1.3, with the two that CoWIN added
// later.
func IDTypes() []Choice {
	return []Choice{
		{1, "Aadhaar Card", "आधार कार्ड"}, {2, "Driving License", "ड्राइविंग लाइसेंस"},
		{3, "Health Insurance Smart Card", "स्वास्थ्य बीमा स्मार्ट कार्ड"}, {4, "MNREGA Job Card", "मनरेगा जॉब कार्ड"},
		{5, "Official Identity Card issued to MPs/MLAs/MLCs", "सांसद/विधायक पहचान पत्र"}, {6, "PAN Card", "पैन कार्ड"},
		{7, "Bank/Post Office Passbook", "बैंक/डाकघर पासबुक"}, {8, "Passport", "पासपोर्ट"}, {9, "Pension Document", "पेंशन दस्तावेज़"},
		{10, "Service Identity Card issued by Govt./PSU", "सरकारी सेवा पहचान पत्र"}, {11, "NPR Smart Card", "एनपीआर स्मार्ट कार्ड"},
		{12, "Voter ID", "मतदाता पहचान पत्र"}, {13, "Others", "अन्य"}, {14, "UDID", "विशिष्ट दिव्यांगता पहचान पत्र"},
		{15, "Student ID", "छात्र पहचान पत्र"},
	}
}

// ValidGender reports whether g is a listed gender.
func ValidGender(g int) bool { return contains(Genders(), g) }

func contains(list []Choice, id int) bool {
	for _, c := range list {
		if c.ID == id {
			return true
		}
	}
	return false
}

// TextOf returns the English text of a choice, or "".
func TextOf(list []Choice, id int) string {
	for _, c := range list {
		if c.ID == id {
			return c.Text
		}
	}
	return ""
}
