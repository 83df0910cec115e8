// Command s3 stands in for the S3 store of docker-compose.yml on a machine
// without a registry: one bucket, in memory, for whoever asks.
package main

import (
	"log"
	"net/http"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

func main() {
	backend := s3mem.New()
	if err := backend.CreateBucket("outputs"); err != nil {
		log.Fatal(err)
	}
	fake := gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	log.Fatal(http.ListenAndServe(":7070", fake))
}
