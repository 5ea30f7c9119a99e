"""The rehearsal providers: lookalikes of Stripe, SendGrid, Shippo, Slack and Twilio, with faults on demand. Imports nothing of ours."""
