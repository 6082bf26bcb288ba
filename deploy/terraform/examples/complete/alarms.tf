# The topic that alarms and failed jobs are told to: subscribe to it.
resource "aws_sns_topic" "alarms" {
  #checkov:skip=CKV_AWS_26:alarms say names and counts, never an item; CloudWatch cannot use the key that AWS manages for SNS
  name = "tablesplit-alarms"
}

data "aws_iam_policy_document" "alarms" {
  statement {
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms.arn]
    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "events.amazonaws.com"]
    }
  }
}

resource "aws_sns_topic_policy" "alarms" {
  arn    = aws_sns_topic.alarms.arn
  policy = data.aws_iam_policy_document.alarms.json
}
