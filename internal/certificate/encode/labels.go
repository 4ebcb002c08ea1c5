package encode

import "strings"

// label is one text of a page in both languages.
type label struct{ en, hi string }

// The texts of the pages, English and Hindi.
var (
	txtTitle       = label{"Vaccination certificate", "टीकाकरण प्रमाणपत्र"}
	txtPerson      = label{"Person", "व्यक्ति"}
	txtName        = label{"Name", "नाम"}
	txtNoLetters   = label{"recorded in a script that this page cannot show", "ऐसी लिपि में दर्ज है जो यह पृष्ठ नहीं दिखा सकता"}
	txtMachineName = label{"Name in Latin letters", "रोमन लिपि में नाम"}
	txtBirth       = label{"Date of birth", "जन्म तिथि"}
	txtBirthYear   = label{"Year of birth", "जन्म वर्ष"}
	txtGender      = label{"Gender", "लिंग"}
	txtID          = label{"ID at registration", "पंजीकरण का पहचान पत्र"}
	txtReference   = label{"Reference number", "संदर्भ संख्या"}
	txtGuardian    = label{"Guardian", "अभिभावक"}
	txtStatus      = label{"Vaccination status", "टीकाकरण स्थिति"}
	txtDoses       = label{"Doses", "खुराकें"}
	txtDose        = label{"Dose", "खुराक"}
	txtVaccine     = label{"Vaccine", "टीका"}
	txtLot         = label{"Batch", "बैच"}
	txtVaccinator  = label{"Vaccinated by", "टीका लगाने वाले"}
	txtPlace       = label{"Vaccination at", "टीकाकरण स्थान"}
	txtValidity    = label{"QR code valid until", "क्यूआर कोड की वैधता"}
	txtCI          = label{"Certificate identifier", "प्रमाणपत्र पहचान"}
	txtView        = label{"View reference", "देखने का संदर्भ"}
	txtOf          = label{"of", "में से"}
	txtVerify      = label{"How to verify", "सत्यापन कैसे करें"}
	txtVerifyHow   = label{
		"Scan the QR code with a certificate verifier, or run: tikakosh certificate verify FILE --keys KEYS. Only what the check shows counts; printed text can be altered.",
		"क्यूआर कोड को प्रमाणपत्र सत्यापन ऐप से स्कैन करें, या चलाएँ: tikakosh certificate verify FILE --keys KEYS. केवल सत्यापन में दिखी जानकारी मान्य है; छपा हुआ पाठ बदला जा सकता है।",
	}
	txtVerifyAt = label{
		"Scan or type it at ADDRESS, without an account; nobody learns what is checked. Or run: tikakosh certificate verify FILE --keys KEYS. Only what the check shows counts; printed text can be altered.",
		"इसे ADDRESS पर स्कैन करें या लिखें; खाते की ज़रूरत नहीं, और क्या जाँचा गया यह कोई नहीं जानता। या चलाएँ: tikakosh certificate verify FILE --keys KEYS. केवल सत्यापन में दिखी जानकारी मान्य है; छपा हुआ पाठ बदला जा सकता है।",
	}
	txtViewHow = label{
		"The view reference names the entry, in the public ledger, of the opening that made this page.",
		"देखने का संदर्भ उस प्रविष्टि का नाम है जो यह पृष्ठ बनने पर सार्वजनिक बही में दर्ज हुई।",
	}

	txtSlip        = label{"Appointment slip", "अपॉइंटमेंट पर्ची"}
	txtAppointment = label{"Appointment", "अपॉइंटमेंट"}
	txtCentre      = label{"Vaccination centre", "टीकाकरण केंद्र"}
	txtAddress     = label{"Address", "पता"}
	txtDate        = label{"Date", "तिथि"}
	txtSlot        = label{"Time slot", "समय"}
	txtCode        = label{"Booking code", "बुकिंग कोड"}
	txtCodeHow     = label{
		"Show this code to the vaccinator only when you are at the centre. Give it to nobody by phone or message.",
		"यह कोड केवल केंद्र पर टीका लगाने वाले को दिखाएँ। फ़ोन या संदेश पर किसी को न दें।",
	}
	txtBring    = label{"What to bring", "साथ क्या लाएँ"}
	txtBringHow = label{
		"This slip, printed or on a phone, and the photo ID that was given at registration. Come at the time of your slot. Eat and take your usual medicines as on any day.",
		"यह पर्ची, छपी हुई या फ़ोन पर, और वह फ़ोटो पहचान पत्र जो पंजीकरण में दिया गया था। अपने समय पर आएँ। रोज़ की तरह भोजन करें और अपनी नियमित दवाएँ लें।",
	}
	txtPhotoID  = label{"Photo ID to bring", "साथ लाने वाला पहचान पत्र"}
	txtScanHere = label{"For the centre", "केंद्र के लिए"}
)

// verifyHow says how a certificate is checked, and where.
func verifyHow(f Facts) label {
	if f.CheckAt == "" {
		return txtVerifyHow
	}
	return label{strings.Replace(txtVerifyAt.en, "ADDRESS", f.CheckAt, 1), strings.Replace(txtVerifyAt.hi, "ADDRESS", f.CheckAt, 1)}
}

// statusOf is the wording of a status: the caller's, or one derived from the
// newest dose.
func statusOf(f Facts) label {
	if s := clean(f.Status); s != "" {
		for _, l := range []label{txtPartly, txtFully, txtBooster} {
			if strings.EqualFold(l.en, s) {
				return l
			}
		}
		return label{en: s}
	}
	d, _ := f.latest(func(Dose) bool { return true })
	switch {
	case d.Total > 0 && d.Number < d.Total:
		return txtPartly
	case d.Total > 0 && d.Number > d.Total:
		return txtBooster
	}
	return txtFully
}

var (
	txtPartly  = label{"Partially vaccinated", "आंशिक रूप से टीकाकृत"}
	txtFully   = label{"Fully vaccinated", "पूर्ण रूप से टीकाकृत"}
	txtBooster = label{"Fully vaccinated, with booster", "पूर्ण रूप से टीकाकृत, बूस्टर सहित"}
)

// genderLabel adds the Hindi word to the registry's.
func genderLabel(s string) label {
	s = clean(s)
	switch strings.ToLower(s) {
	case "male":
		return label{s, "पुरुष"}
	case "female":
		return label{s, "महिला"}
	case "transgender":
		return label{s, "ट्रांसजेंडर"}
	case "other", "others":
		return label{s, "अन्य"}
	}
	return label{en: s}
}

// both joins the two languages with a slash, or gives the one there is.
func (l label) both() string {
	if l.hi == "" {
		return l.en
	}
	return l.en + " / " + l.hi
}
