"""The rehearsal providers: Stripe, SendGrid, Shippo and Slack lookalikes on a real port, with faults on demand. Imports nothing of ours."""
