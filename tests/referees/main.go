// Lets the Go library of Standard Webhooks judge cases from standard input, one verdict each.
package main

import (
	"encoding/json"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

type attempt struct {
	Secret  string            `json:"secret"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
}

func accepts(one attempt) bool {
	webhook, err := standardwebhooks.NewWebhook(one.Secret)
	if err != nil {
		return false
	}
	headers := http.Header{}
	for name, value := range one.Headers {
		headers.Set(name, value)
	}
	return webhook.Verify([]byte(one.Body), headers) == nil
}

func main() {
	var attempts []attempt
	if err := json.NewDecoder(os.Stdin).Decode(&attempts); err != nil {
		panic(err)
	}
	verdicts := make([]bool, len(attempts))
	for i, one := range attempts {
		verdicts[i] = accepts(one)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		panic(err)
	}
}
