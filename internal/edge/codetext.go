package edge

// codeWaits is what the answer says about a code that no gateway has taken yet.
const codeWaits = "The mobile network does not take the message with the code now. It is sent as soon as it does, and the code is good until three minutes after you asked. If none has come by then, ask for a new one, or go to a vaccination centre."

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
