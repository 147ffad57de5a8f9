"""FCOS on ResNet-50, by torchvision."""

from torchvision.models.detection import fcos_resnet50_fpn

from metricloop.detector.torchvision_detector import from_torchvision

build = from_torchvision(fcos_resnet50_fpn)
LEARNING_RATE = 0.0001
