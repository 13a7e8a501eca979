"""No database: what the runtime client itself takes."""


def handler(event, context):
    return {"statusCode": 200, "body": "{}"}
