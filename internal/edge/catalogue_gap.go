package edge

import "fmt"

// gapTexts are the view and the reason of a gap in the history, in the reader's
// language: entries first to last of the ledger were lost in a restore at a time
// (Unix milliseconds).
func gapTexts(language string, first, last, at int64) (view, reason string) {
	if language == "hi" {
		return "बहाली में खोई प्रविष्टियाँ", fmt.Sprintf("बही की प्रविष्टियाँ %d से %d, %s को बैकअप से की गई बहाली में खो गईं; दो संरक्षकों ने इसकी स्वीकृति दी। "+
			"इस अवधि में आपका रिकॉर्ड खोला गया हो तो वह यहाँ दर्ज नहीं है।", first, last, gapDay(at))
	}
	return "entries lost in a restore", fmt.Sprintf("Entries %d to %d of the ledger were lost in a restore on %s; two custodians approved it. "+
		"If your record was opened in that time, it is not in this list.", first, last, gapDay(at))
}

// gapDay is the day as people here write it, dd-mm-yyyy in Indian time.
func gapDay(at int64) string {
	iso := local(at) // yyyy-mm-ddThh:mm:ss+05:30
	return iso[8:10] + "-" + iso[5:7] + "-" + iso[:4]
}
