package api

// LogIn is the body of POST /console/session.
type LogIn struct {
	Token string `json:"token" minLength:"1" maxLength:"4096" doc:"One of the setting API_TOKENS" writeOnly:"true"`
}

// Session is the answer to GET /console/session.
type Session struct {
	Authenticated bool  `json:"authenticated" doc:"Always true: without a session or a token the answer is 401"`
	ExpiresAt     *Time `json:"expires_at" format:"date-time" doc:"Of the session; null with a token, and where the server asks for none" example:"2025-01-07T21:11:13.499Z"`
}
