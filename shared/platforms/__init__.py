"""The platforms' protocols as both sides of this project speak them.

Signatures, message formats, API clients and error codes of WeChat official accounts and Weibo,
the Standard Webhooks scheme for shops, and the file that lists a deployment's accounts. Nothing
here knows an event or a service: it turns bytes into fields, and calls into typed outcomes.
"""
