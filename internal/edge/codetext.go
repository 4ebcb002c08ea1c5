package edge

// codeText says what to do when a one-time code could not be sent, or perhaps
// was; "" for every other failure. The vault's codes name the two cases.
func codeText(code string) string {
	switch code {
	case "OTPNOTSENT":
		return "The message with the code could not be sent. Nothing is lost: please ask for a code again in half a minute, or go to a vaccination centre."
	case "OTPUNSURE":
		return "It is not known whether the message with the code was sent. A code that still arrives is not valid: please ask for a new one in half a minute."
	}
	return ""
}
