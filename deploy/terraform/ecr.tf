# The image's repository: scanned on push, and a tag stays what it was.
resource "aws_ecr_repository" "this" {
  count = var.image == null ? 1 : 0
  #checkov:skip=CKV_AWS_136:a key of your own is an input (kms_key_arn); by default AES256, and the image holds no secret
  name                 = var.name
  image_tag_mutability = "IMMUTABLE"
  force_delete         = false
  tags                 = var.tags

  image_scanning_configuration {
    scan_on_push = true
  }
  encryption_configuration {
    encryption_type = var.kms_key_arn == null ? "AES256" : "KMS"
    kms_key         = var.kms_key_arn
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  count      = var.image == null ? 1 : 0
  repository = aws_ecr_repository.this[0].name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "untagged images are those of pushes that were broken off"
      selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
      action       = { type = "expire" }
    }]
  })
}
